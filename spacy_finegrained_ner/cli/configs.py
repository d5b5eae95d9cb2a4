"""The shipped configs, and a complete one of them for somebody's own training."""

from __future__ import annotations

import json
import re
from pathlib import Path
from shlex import quote

from spacy.util import load_config, load_model_from_config
from thinc.api import Config, ConfigValidationError

from spacy_finegrained_ner.labels.readers import named_taxonomy

HEAD = "components.finegrained_ner.model"
FROZEN = "benchmark"
"""Not to train with: its figures are compared over time."""


class ConfigFileError(ValueError):
    """A config can't be read, made or written as it was asked for."""


def shipped() -> dict[str, Path]:
    """The configs to begin with, by name."""
    package = Path(__file__).parents[1]
    # A wheel has them within the package, a checkout beside it
    inside = package / "configs"
    folder = inside if inside.is_dir() else package.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.cfg")) if path.stem != FROZEN}


def write_config(
    output: Path,
    base: str = "default",
    lang: str = "en",
    encoder: str | None = None,
    taxonomy: str | None = None,
    width: int | None = None,
    *,
    force: bool = False,
) -> str:
    """Write a complete config. RETURNS: what to do with it.

    base: the name of a shipped config, whose comments are kept. encoder: a folder, or a name on the
    hub; None for that of the base. taxonomy: the name of a packaged one or a file; None for flat
    labels. width: of a BiLSTM in the head, both directions together; 0 for none, None for that of
    the base.

    Raises a `ConfigFileError` that says what is wrong, or a `TaxonomyError` for no taxonomy.
    """
    files = shipped()
    if base not in files:
        raise ConfigFileError(f"There is no config {base!r} to begin with, expected {[*files]}.")
    if taxonomy is not None:
        named_taxonomy(taxonomy)  # may fail
    text = _set(files[base].read_text(encoding="utf-8"), "nlp", "lang", lang)
    text = _set(text, "paths", "taxonomy", taxonomy)
    if encoder is not None:
        if "\nencoder = " not in text:
            raise ConfigFileError(f"The config {base!r} has no encoder of transformers.")
        text = _set(text, "paths", "encoder", encoder)
    if width is not None:
        text = _with_width(text, base, width)
    check_output(output, force)
    try:
        load_model_from_config(Config().from_str(text, interpolate=False), auto_fill=True)
    except (ValueError, ImportError, ConfigValidationError) as error:
        raise ConfigFileError(f"{error}") from None
    write(text, output)
    return train_line(output, taxonomy)


def check_output(output: Path, force: bool) -> None:
    """A `ConfigFileError` where there is a file that nobody said may be replaced."""
    if output.exists() and not force:
        raise ConfigFileError(f"{output} is there already. To replace it, give --force.")


def write(text: str, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")


def train_line(output: Path, taxonomy: str | None) -> str:
    labels = "flat, each its own coarse type" if taxonomy is None else f"those of {taxonomy}"
    return (
        f"Wrote {output}. Labels are {labels}. Train with\n"
        f"python -m spacy train {quote(str(output))} --output training --paths.train train.spacy "
        "--paths.dev dev.spacy"
    )


def bilstm(width: int) -> dict[str, object]:
    """The block of a sequence layer. width: of both directions together."""
    if width < 2 or width % 2:
        raise ConfigFileError(
            f"The head can't have a BiLSTM of width {width}: expected an even number, half of it "
            "for each direction; or 0 for none."
        )
    name = "spacy-finegrained-ner.BiLSTM.v1"
    return {"@layers": name, "width": width, "layers": 1, "dropout": 0.0}


def read_config(path: Path) -> Config:
    """A config with its variables. A `ConfigFileError` where it can't be read."""
    try:
        return load_config(path, interpolate=False)
    except (ValueError, OSError) as error:  # of thinc and of spaCy
        raise ConfigFileError(f"{path}: can't be read as a config: {error}") from None


def _set(text: str, section: str, key: str, value: object) -> str:
    """The text of a config with another value; comments stay."""
    found = rf"(^\[{re.escape(section)}\]\n(?:(?!\[).*\n)*?{key} = ).*$"
    text, count = re.subn(
        found, lambda m: m[1] + json.dumps(value, ensure_ascii=False), text, flags=re.MULTILINE
    )
    assert count == 1, (section, key)
    return text


def _with_width(text: str, base: str, width: int) -> str:
    """With a BiLSTM of this width in the head, or none for 0."""
    if f"[{HEAD}]" not in text:
        raise ConfigFileError(f"The config {base!r} has no head with a width.")
    comments = r"(?:^#.*\n)*"
    block = rf"{comments}^\[{re.escape(HEAD)}\.sequence\]\n(?:^.+\n)*\n"
    text = re.sub(block, "", text, flags=re.MULTILINE)
    text = re.sub(rf"{comments}^sequence = null\n", "", text, flags=re.MULTILINE)
    settings = {"sequence": None} if width == 0 else bilstm(width)
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    if width:
        place = f"[{HEAD}.blending]\n"
        return text.replace(place, f"[{HEAD}.sequence]\n{lines}\n{place}")
    return text.replace(f"[{HEAD}]\n", f"[{HEAD}]\n{lines}")
