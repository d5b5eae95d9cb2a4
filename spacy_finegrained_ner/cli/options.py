"""What verbs have in common: options, and the pipeline that they are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spacy_finegrained_ner.errors import UserError

if TYPE_CHECKING:
    from spacy.language import Language

TaxonomyName = Annotated[
    str | None,
    typer.Option("--taxonomy", help="A taxonomy file, or multiconer2; none for flat labels."),
]
Model = Annotated[str, typer.Argument(help="A trained pipeline: a package or a folder.")]
Folder = Annotated[Path, typer.Argument(help="Folder of a trained pipeline.")]
HeldOut = Annotated[
    Path, typer.Argument(help="Gold data that it has not learned from, in any form.")
]
Code = Annotated[
    Path | None,
    typer.Option("--code", help="Python file with parts of your own that the pipeline has."),
]


def import_code(code: Path | None) -> None:
    """Import the file of `--code`."""
    from spacy_finegrained_ner.annotate import loading

    loading.import_code(code)


def load(model: str, code: Path | None = None, *read: Path | None) -> Language:
    """Load a pipeline. read: what is read then, and has to be there before that takes its time.
    Raises a `UserError` that says what to do."""
    from spacy_finegrained_ner.annotate import loading

    for path in read:
        if path is not None and not path.exists():
            raise UserError(f"{path}: there is no such file.")
    return loading.load(model, code)


def load_folder(model: Path, code: Path | None = None, *read: Path | None) -> Language:
    """Load a pipeline that is written to. Raises a `UserError` where it is no folder, too."""
    if not (model / "config.cfg").is_file():
        raise UserError(
            f"{model}: there is no config.cfg. Expected the folder of a trained pipeline, not the "
            "name of a package."
        )
    return load(str(model), code, *read)
