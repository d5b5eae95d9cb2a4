"""The verb `tune`: a trained pipeline trained further."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, Model, TaxonomyName, load


def tune(
    model: Model,
    data: Annotated[Path, typer.Argument(help="Gold data, in any form.")],
    output: Annotated[Path, typer.Argument(help="Folder for the tuned pipeline.")],
    annotated: Annotated[
        str,
        typer.Option(
            help="The labels that are annotated in the data, with commas between. Without: all of "
            "the pipeline's; or, if the data has labels that it does not have, those alone."
        ),
    ] = "",
    remember: Annotated[
        Path | None,
        typer.Option(
            help="Texts in which the pipeline is to find what it finds now: a text on each line "
            "(.txt), or gold data, such as some of what it was trained on."
        ),
    ] = None,
    taxonomy: TaxonomyName = None,
    steps: Annotated[
        int,
        typer.Option(
            min=0,
            help="0 for three epochs, and 60 at least, or 200 with new labels and --remember.",
        ),
    ] = 0,
    rate: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Of the encoder. 0: with new labels 1e-4, beside fewer than 1,000 texts 2e-5; "
            "without, 5e-5, or 5e-6 if there is no --remember. The head has the same, but 1e-3 at "
            "least with new labels.",
        ),
    ] = 0.0,
    check: Annotated[
        Path | None, typer.Option(help="Other gold data, to score before and after.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the training.")] = 0,
    gpu_id: Annotated[int, typer.Option(help="-1 for the CPU.")] = -1,
    code: Code = None,
) -> None:
    """Train an installed pipeline further: on corrected texts, or on texts with new labels, for
    which its head grows.

    What is not annotated in the data the pipeline teaches itself, so that old labels are not
    unlearned. So it does with what it finds in the texts of --remember. The vocabulary of labels
    stays as it is where there are no new ones.
    """
    from spacy_finegrained_ner.annotate.loading import run_on
    from spacy_finegrained_ner.cli.tables import print_comparison
    from spacy_finegrained_ner.data.entities import labels_of
    from spacy_finegrained_ner.data.files import read_gold, read_texts
    from spacy_finegrained_ner.errors import UserError
    from spacy_finegrained_ner.labels.readers import named_taxonomy
    from spacy_finegrained_ner.pipeline.growth import merged
    from spacy_finegrained_ner.pipeline.tuning import FEW, drawn
    from spacy_finegrained_ner.pipeline.tuning import tune as tuned
    from spacy_finegrained_ner.scoring.comparison import compared
    from spacy_finegrained_ner.scoring.evaluation import component_of

    if output.is_file() or (output.exists() and any(output.iterdir())):
        raise UserError(f"{output}: there is something already. Give a new folder.")
    run_on(gpu_id, None)
    nlp = load(model, code, data, check, remember)
    name, component = component_of(nlp)
    docs = read_gold(nlp, data)
    if not any(doc.ents for doc in docs):
        messages.warn(f"{data} has no entities: that its texts have none is what is learned.")
    tree = named_taxonomy(taxonomy) if taxonomy else None
    if check is not None:  # what is wrong with it is told before the training
        names, old = component.names, component.taxonomy
        found = [names.fine_label(label, old) for label in labels_of(docs)]
        grown = merged(old, tree, [label for label in found if old.spelled(label) is None])
        read_gold(nlp, check, grown, names, fine=True)
    reminders = read_texts(nlp, remember) if remember else []
    if remember and not reminders:
        raise UserError(f"{remember}: the file holds no texts.")
    if reminders and not drawn(reminders, docs, seed):
        raise UserError(
            f"{remember}: all of its texts are in {data}, too, and so none is left to remember."
        )
    if not reminders and len(docs) < FEW:
        messages.warn(
            f"The data has few texts ({len(docs)}), and the pipeline will forget some of what it "
            "knows beside them. Give others with --remember, such as some that it was trained on."
        )
    only = [label.strip() for label in annotated.split(",") if label.strip()] or None
    there = output.exists()
    output.mkdir(parents=True, exist_ok=True)  # where that fails, not after the training
    try:
        new = tuned(
            nlp,
            name,
            docs,
            annotated=only,
            remember=reminders,
            taxonomy=tree,
            steps=steps,
            rate=rate,
            seed=seed,
            use_gpu=gpu_id,
        )
    except BaseException:
        if not there:
            output.rmdir()
        raise
    new.to_disk(output)
    _, after = component_of(new)
    if check is not None:
        gold = read_gold(nlp, check, after.taxonomy, component.names, fine=True)
        rows = [
            {**compared(one, gold, after.taxonomy), "model": title}
            for title, one in (("before", nlp), ("after", new))
        ]
        print_comparison(str(check), len(gold), rows)
    more = [label for label in after.labels if label not in component.labels]
    said = f"with the new labels {', '.join(more)}" if more else "with the labels that it had"
    messages.good(f"Wrote {output}, {said}. Calibrate it again: its probabilities have changed.")
