"""A wheel from the package index, of one version and with one digest."""

import subprocess
import sys
from pathlib import Path


def download_wheel(folder: Path, requirement: str, sha256: str) -> tuple[Path | None, list[str]]:
    """Into a folder that has no other wheel. requirement: name==version.

    RETURNS: the wheel, or None and the last lines of what pip says.
    """
    requirements = folder / "wheel.txt"
    requirements.write_text(f"{requirement} --hash=sha256:{sha256}\n", encoding="utf-8")
    arguments = ["download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *arguments, "-d", str(folder), "-r", str(requirements)],
        capture_output=True,
        text=True,
        errors="replace",
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        lines = [line for line in done.stderr.splitlines() if line and "WARNING" not in line]
        return None, lines[-6:]
    return wheels[0], []
