"""The verb `convert`."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import TaxonomyName


def convert(
    source: Annotated[
        Path,
        typer.Argument(help="Folder with train.*, valid.*, ... in any form; or one file of texts."),
    ],
    target: Annotated[Path, typer.Argument(help="Folder for train.spacy, valid.spacy, ...")],
    lang: Annotated[str, typer.Option(help="Language code.")] = "en",
    taxonomy: TaxonomyName = None,
    dev_reports: Annotated[
        bool,
        typer.Option(
            "--dev-reports",
            help="dev.conll is for reporting only: without a valid.conll, a tenth of train is "
            "split off to select the model.",
        ),
    ] = False,
    lower: Annotated[
        bool,
        typer.Option(
            "--lower",
            help="Write all texts in lower case, for a pipeline that is given such texts. "
            "Entities stay where they are.",
        ),
    ] = False,
    write_taxonomy: Annotated[
        Path | None, typer.Option(help="Where to write the taxonomy of these labels, if wanted.")
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(
            help="Of the tags: IOB2, IOB1, IO, IOBES, BILUO, or labels (no prefix). "
            "None: by the tags that occur."
        ),
    ] = None,
    tag_column: Annotated[
        str | None,
        typer.Option(
            help="Of the tags: in CoNLL its number, from 1, or from -1 for the last (the default); "
            "beside tokens its name."
        ),
    ] = None,
    tag_names: Annotated[
        str | None,
        typer.Option(help="Of tags that are numbers, in order: O,B-Label,I-Label,..."),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of text files, such as cp1252. None: UTF-8 or UTF-16.")
    ] = None,
) -> None:
    """Convert labelled texts to .spacy, and check their labels against the taxonomy.

    Reads CoNLL, JSON or JSONL of Prodigy, doccano and Label Studio or with character spans, tokens
    and tags as JSON or Parquet, brat, CSV with offsets, and .spacy.
    """
    from spacy_finegrained_ner.cli.tables import print_account, print_conversion
    from spacy_finegrained_ner.data.convert import LOSSES_FILE, convert_folder
    from spacy_finegrained_ner.data.forms.record import Options
    from spacy_finegrained_ner.labels.readers import named_taxonomy
    from spacy_finegrained_ner.labels.taxonomy import TaxonomyError, flat_taxonomy
    from spacy_finegrained_ner.labels.writing import write_taxonomy as write

    tree = named_taxonomy(taxonomy) if taxonomy else None
    names = tag_names.split(",") if tag_names else None
    done = convert_folder(
        source,
        target,
        lang=lang,
        taxonomy=tree,
        dev_reports=dev_reports,
        lower=lower,
        options=Options(scheme, tag_column, names, encoding),
    )
    for said in done.read:
        messages.info(f"Read {said}.")
    print_conversion(done.parts, tree)
    print_account(done.account, target / LOSSES_FILE)
    if write_taxonomy is not None:
        if not done.labels:
            raise TaxonomyError("There is no entity in the data, so there are no types to learn.")
        write(tree.spelled_as(done.labels) if tree else flat_taxonomy(done.labels), write_taxonomy)
    for note in done.notes:
        messages.info(note)
    for warning in done.warnings:
        messages.warn(warning)
