"""Names that a user has, as evidence: what they add, and what becomes of it when they are wrong,
missing or new."""

from __future__ import annotations

import random
from dataclasses import replace

from spacy.tokens import Doc, Span

from study.plan.experiment import Compared, Experiment, Parts
from study.plan.stages import RATES
from study.plan.teaching import ALL

CHANGES = {
    "half": "half of the names removed",
    "random": "a million random n-grams added",
    "shuffled": "all topics shuffled",
}
"""Of the names, at prediction only."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def corrupted(docs: Parts) -> Parts:
    """The validation part with one random edit in each entity: always the same ones."""
    rng = random.Random(0)
    return {"corrupted": [_with_edits(doc, rng) for doc in docs["valid"]]}


def _with_edits(doc: Doc, rng: random.Random) -> Doc:
    words = [token.text for token in doc]
    for span in doc.ents:
        (at,) = rng.choices(range(span.start, span.end), [len(token) for token in span])
        words[at] = edited(words[at], rng)
    copy = Doc(doc.vocab, words=words)
    copy.set_ents([Span(copy, span.start, span.end, span.label_) for span in doc.ents])
    return copy


def edited(word: str, rng: random.Random) -> str:
    """With a letter inserted, deleted or replaced, or two neighbors swapped: never the same word,
    and never an empty one."""
    kinds = ("insert", "replace", "delete", "swap") if len(word) > 1 else ("insert", "replace")
    found = word
    while found == word:  # two neighbors that are the same
        kind = rng.choice(kinds)
        at = rng.randrange(len(word) - (kind == "swap"))
        before, here, behind = word[:at], word[at], word[at + 1 :]
        if kind == "insert":
            found = before + rng.choice(LETTERS) + here + behind
        elif kind == "replace":
            found = before + rng.choice(LETTERS) + behind
        elif kind == "delete":
            found = before + behind
        else:
            found = before + behind[0] + here + behind[1:]
    return found


_NAMES = replace(ALL, pipeline="knowledge", settings={}, name="names")

NAMES = Experiment(
    "names",
    "Names as evidence",
    {
        "without": Compared("default config", (ALL,)),
        "with": Compared("with names", (_NAMES,), sets=tuple(f"valid@{x}" for x in CHANGES)),
        # Noise in training is drawn from the whole file: what is new later must not be in it
        "fewer": Compared(
            "with names, some left out",
            (replace(_NAMES, names="left_out"),),
            sets=("valid@given",),
        ),
    },
    [("with", "without")],
    corrupted,
    sets=("valid", "dev", "corrupted"),
)

NAMES_LARGER = Experiment(
    "names-larger",
    "Names as evidence, beside a larger encoder",
    {
        # At the lowest rate, as larger encoders ask for
        name: Compared(
            NAMES.arms[name].title,
            tuple(replace(one, rate=RATES[0], name="model") for one in NAMES.arms[name].trainings),
        )
        for name in ("without", "with")
    },
    [("with", "without")],
    seeds=(0,),
    sets=("valid", "dev"),
)
"""To be run with another `--encoder`."""
