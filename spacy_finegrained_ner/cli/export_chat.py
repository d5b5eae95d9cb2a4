"""The verb `export-chat`: gold texts as chats, to fine-tune a language model on."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import TaxonomyName


def export_chat(
    data: Annotated[
        list[Path], typer.Argument(help="Gold data, in any form: train.spacy, valid.spacy, ...")
    ],
    output: Annotated[Path, typer.Argument(help="Folder for train.jsonl, valid.jsonl, ...")],
    taxonomy: TaxonomyName = None,
    template: Annotated[
        str,
        typer.Option(
            help="Of the prompt: ner, short (names no types: they are learned) or a file."
        ),
    ] = "ner",
    examples: Annotated[
        int, typer.Option(min=0, help="Gold texts of the first file in each prompt.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the draw of examples.")] = 0,
) -> None:
    """Write gold texts as chats, one on each line: what finegrained_llm asks, and the right answer.

    It is the form of hosted fine-tuning, and that of fine-tune-llm.
    """
    import spacy

    from spacy_finegrained_ner.baselines.llm.chat import chats_of, write_chats
    from spacy_finegrained_ner.baselines.llm.examples import FixedExamples
    from spacy_finegrained_ner.baselines.llm.prompt import read_template
    from spacy_finegrained_ner.baselines.llm.setup import find_types, whole
    from spacy_finegrained_ner.data.files import read_gold
    from spacy_finegrained_ner.errors import UserError
    from spacy_finegrained_ner.labels.readers import FlatLabels, named_taxonomy
    from spacy_finegrained_ner.whole import in_place_of

    given = named_taxonomy(taxonomy) if taxonomy else None
    text = read_template(template)
    nlp = spacy.blank("xx")
    gold = {path: read_gold(nlp, path, given) for path in data}
    targets = {path: output / f"{path.stem}.jsonl" for path in gold}
    if len(set(targets.values())) < len(targets):
        raise UserError(f"Files of one name: {', '.join(map(str, data))}. Expected several names.")
    every = [doc for docs in gold.values() for doc in docs]
    tree = find_types(
        every, None, given or FlatLabels(), {"taxonomy": {}, "definitions": {}}, "finegrained_llm"
    )
    shown = FixedExamples(examples, seed)
    shown.draw(whole(gold[data[0]]), tree)
    output.mkdir(parents=True, exist_ok=True)
    for path, docs in gold.items():
        found = chats_of(docs, tree, text, shown)
        with in_place_of(targets[path]) as new:
            write_chats(found.chats, new)
        for reason, number in found.left_out.items():
            messages.warn(f"{path}: {number:,} of {len(docs):,} texts left out: {reason}")
        messages.good(f"{len(found.chats):,} chats: {targets[path]}")
