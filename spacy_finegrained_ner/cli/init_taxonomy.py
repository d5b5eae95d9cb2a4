"""The verb `init-taxonomy`: a taxonomy file to begin with, made of the labels of some data."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.errors import UserError

SEPARATORS = "-/.:_"


def init_taxonomy(
    data: Annotated[
        Path, typer.Argument(help="Labelled texts in any form that convert reads; file or folder.")
    ],
    output: Annotated[Path, typer.Argument(help="The taxonomy file to write (TOML).")],
    separator: Annotated[
        str | None,
        typer.Option(help="After the coarse type, as in location-GPE; none: the one that all have"),
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Of the tags, as of convert. None: by the tags that occur.")
    ] = None,
    tag_column: Annotated[str | None, typer.Option(help="Of the tags, as of convert.")] = None,
    tag_names: Annotated[str | None, typer.Option(help="Of numbered tags, as of convert.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text files, as of convert.")] = None,
) -> None:
    """Write a taxonomy file with the labels of some data, to be edited."""
    from spacy.vocab import Vocab

    from spacy_finegrained_ner.data.forms.loading import load
    from spacy_finegrained_ner.data.forms.record import Options
    from spacy_finegrained_ner.data.language import lazy_tokenizer
    from spacy_finegrained_ner.data.parts import files_of
    from spacy_finegrained_ner.labels.taxonomy import Taxonomy, one_spelling
    from spacy_finegrained_ner.labels.writing import write_taxonomy

    if output.exists():
        raise UserError(f"{output} is there already. Give another name, or remove it.")
    options = Options(scheme, tag_column, tag_names.split(",") if tag_names else None, encoding)
    parts, account = load({"data": files_of(data)}, Vocab(), lazy_tokenizer("xx"), options)
    for said in parts["data"].said:
        messages.info(f"Read {said}.")
    if lost := account.told():
        messages.warn(f"{lost} `convert` lists all of them.")
    places = parts["data"].labels
    labels = sorted(places)
    if not labels:
        raise UserError(f"{data}: found no entities, so there are no types to write.")
    one_spelling(places)  # may fail
    if separator is None:
        separator = find_separator(labels)
    taxonomy = Taxonomy({label: coarse_type(label, separator) for label in labels}, str(data))
    write_taxonomy(taxonomy, output)
    types = f"{len(labels)} types under {len(taxonomy.coarse)} coarse types"
    messages.good(f"Wrote {output}: {types}")


def find_separator(labels: Iterable[str]) -> str:
    """The first that all labels have, with the same type before it in two of them; "" for none."""
    labels = list(labels)
    for separator in SEPARATORS:
        parts = [label.partition(separator) for label in labels]
        coarse = {before for before, _, _ in parts}
        if all(before and after for before, _, after in parts) and len(coarse) < len(labels):
            return separator
    return ""


def coarse_type(label: str, separator: str) -> str:
    """What stands before the separator; a label without one is its own coarse type, to be put under
    another by hand."""
    return (label.partition(separator)[0] if separator else "") or label
