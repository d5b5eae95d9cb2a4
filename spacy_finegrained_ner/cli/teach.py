"""The verb `teach`: texts as a pipeline sees them, as training data for another one."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, Model, load


def teach(
    model: Model,
    texts: Annotated[
        Path,
        typer.Argument(
            help="A text on each line (.txt); or gold data, in any form: its annotation stays."
        ),
    ],
    output: Annotated[Path, typer.Argument(help="The .spacy file to write.")],
    soft: Annotated[
        bool, typer.Option("--soft", help="Its probabilities too, of a finegrained_ner.")
    ] = False,
    component: Annotated[
        str | None, typer.Option(help="Whose entities count; none for what is in doc.ents.")
    ] = None,
    taxonomy: Annotated[
        str,
        typer.Option(help="Of --write-taxonomy: a file, or multiconer2; none for the teacher's."),
    ] = "",
    write_taxonomy: Annotated[
        Path | None, typer.Option(help="Where to write the student's taxonomy, if wanted.")
    ] = None,
    code: Code = None,
) -> None:
    """Annotate texts with a trained pipeline, the teacher, as data that a student learns from:
    paths.train of a config.

    Any pipeline with entities is a teacher. Where the file has annotation already, it stays, and
    the teacher adds to it where nothing is known.
    """
    from collections import Counter

    from spacy.tokens import DocBin
    from tqdm import tqdm

    from spacy_finegrained_ner.cli.tables import print_taught
    from spacy_finegrained_ner.data.files import read_texts
    from spacy_finegrained_ner.errors import UserError
    from spacy_finegrained_ner.labels.readers import named_taxonomy
    from spacy_finegrained_ner.labels.taxonomy import flat_taxonomy
    from spacy_finegrained_ner.labels.writing import write_taxonomy as write
    from spacy_finegrained_ner.pipeline.teaching import covering, taught, taxonomy_of
    from spacy_finegrained_ner.scoring.evaluation import component_of
    from spacy_finegrained_ner.whole import in_place_of

    if output.suffix != ".spacy":
        raise UserError(f"{output}: expected the name of a .spacy file.")
    nlp = load(model, code, texts)
    if component is not None and component not in nlp.pipe_names:
        raise UserError(
            f"{model} has no component {component!r}, expected one of {nlp.pipe_names}."
        )
    if taxonomy and write_taxonomy is None:
        raise UserError("--taxonomy is of --write-taxonomy: give both, or neither.")
    tree = named_taxonomy(taxonomy) if taxonomy else None
    if soft and component is None:
        component, _ = component_of(nlp)
    if write_taxonomy is not None and tree is None:
        tree = taxonomy_of(nlp, component, soft)
    docs = read_texts(nlp, texts)
    if not docs:
        raise UserError(f"{texts}: the file holds no texts.")
    found = DocBin(store_user_data=True)
    labels: Counter[str] = Counter()
    silent = 0
    progress = tqdm(total=len(docs), unit=" texts", disable=None)
    for doc in taught(nlp, docs, name=component, soft=soft):
        found.add(doc)
        labels.update(ent.label_ for ent in doc.ents)
        silent += bool(len(doc)) and not doc.has_annotation("ENT_IOB")
        progress.update()
    progress.close()
    output.parent.mkdir(parents=True, exist_ok=True)
    with in_place_of(output) as new:
        found.to_disk(new)
    print_taught(labels, len(docs), silent)
    if not labels:
        messages.warn(f"{model} found no entity in these texts: nothing can be learned from them.")
    messages.good(f"Wrote {output}")
    if write_taxonomy is not None and labels:
        # Of a teacher that has none, labels are flat
        written, foreign = covering(tree or flat_taxonomy(labels), labels)
        if foreign:
            messages.warn(
                f"{len(foreign)} type(s) are in no coarse type of {tree.source if tree else ''}, "
                f"and so each is its own: {', '.join(foreign)[:200]}."
            )
        write(written, write_taxonomy)
        messages.good(f"Wrote {write_taxonomy}")
