"""What a student learns of: a part as its teacher sees it, and gold beside it."""

from __future__ import annotations

from pathlib import Path

import spacy
from spacy.tokens import DocBin

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.pipeline.teaching import taught
from spacy_finegrained_ner.scoring.evaluation import component_of
from study.plan.stages import Taught
from study.runs.pipelines import Inputs


def write_taught(what: Taught, teacher: str, inputs: Inputs, folder: Path) -> list[str]:
    """Files that spaCy's corpus reads as one.

    teacher: folder of its pipeline. folder: to write to. RETURNS: the teacher's labels, which a
    student has also where none of some label was found.
    """
    nlp = spacy.load(teacher)
    texts = DocBin().from_disk(inputs.work / f"{what.part}.spacy").get_docs(nlp.vocab)
    bare = (bare_copy(doc, nlp.vocab) for doc in texts)
    found = DocBin(store_user_data=True)
    name, component = component_of(nlp)
    for doc in taught(nlp, bare, name=name, soft=what.soft):
        found.add(doc)
    folder.mkdir(parents=True, exist_ok=True)
    found.to_disk(folder / "taught.spacy")
    if what.gold:
        gold = (inputs.work / f"{what.gold}.spacy").read_bytes()
        (folder / "gold.spacy").write_bytes(gold)
    return list(component.labels)
