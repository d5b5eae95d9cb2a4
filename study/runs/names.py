"""Files of names that are made of the one that is given, and what of the gold is in it."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc

from spacy_finegrained_ner.data.entities import entities_of
from spacy_finegrained_ner.knowledge.build import Builder, why_no_name
from spacy_finegrained_ner.knowledge.live import LiveNames
from spacy_finegrained_ner.knowledge.names import Names
from spacy_finegrained_ner.scoring.evaluation import component_of
from study.plan.stages import StudyError
from study.runs.pipelines import Inputs
from study.runs.records import LISTED, Listed, write, write_gold

VARIANTS = ("half", "random", "shuffled", "left_out")
"""Files that are made; "given" is the file itself."""

ADDED = "random n-grams"
"""Their source."""
RANDOM = 1_000_000
LONGEST = 4
"""Words of an n-gram."""
_DRAWN = 1 << 16


def prepare_names(docs: dict[str, list[Doc]], inputs: Inputs, output: Path) -> None:
    """Write the variants of the file of names into the folder of prepared data, where they are not
    there yet, and what of the validation part is in the file beside the records.

    Raises a StudyError for what is no file of names.
    """
    path = inputs.names()
    try:
        names = Names.open(path)
    except ValueError as error:
        raise StudyError(str(error)) from None
    train, valid = ([_words(doc) for doc in docs[part]] for part in ("train", "valid"))
    table, gone = listed(names, docs["valid"], train)
    write_gold(table, output / "listed-valid.json", LISTED)
    folder = inputs.work / "names"
    stamp = folder / "made-of.txt"
    asked = (names.digest, RANDOM, train, valid, sorted(gone))
    made_of = sha256(repr(asked).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == made_of:
        return
    for variant, builder in _variants(names, train, gone):
        builder.write(folder / f"{variant}.kb")
    write(made_of.encode(), stamp)


@contextmanager
def reading(nlp: Language, path: str) -> Iterator[None]:
    """Within it, a pipeline reads other names. Random n-grams are found also where training says
    that they are words, as what is added by `LiveNames.add` is."""
    live = component_of(nlp)[1].knowledge
    before, common = live.file, live.common
    live.use(Names.open(path))
    live.common = [key for key in common if not _is_added(live.file, key)]
    try:
        yield
    finally:
        live.use(before)
        live.common = common


def _is_added(file: Names, key: str) -> bool:
    (number,) = file.ids([key])
    return number >= 0 and any(
        file.sources[source]["id"] == ADDED for _, source in file.entries_of(number)
    )


def listed(
    names: Names, valid: Sequence[Doc], train: Sequence[Sequence[str]]
) -> tuple[Listed, set[int]]:
    """What the file has of the entities of `valid`, and the numbers of the names that are left out
    of it: of those which are entities there and are not met in `train` (words of its texts) a half,
    drawn among those of each type, with and without an article at their start."""
    live = LiveNames(names)
    found = live.find([_words(doc) for doc in valid])
    rows = (found.text, found.start, found.end, found.number)
    at = {(t, s, e): n for t, s, e, n in zip(*(row.tolist() for row in rows), strict=True)}
    entities = [
        (at.get((text, start, end), -1), label)
        for text, doc in enumerate(valid)
        for start, end, label in entities_of(doc.ents, lambda span: span.label_)
    ]
    met = {*live.find(train).number.tolist()}
    by_type: dict[str, dict[int, set[int]]] = defaultdict(dict)
    taken: set[int] = set()
    for number, label in entities:
        if number >= 0 and number not in taken:
            alike = _alike(names, number)
            taken |= alike
            if not alike & met:
                by_type[label][number] = alike
    rng = random.Random(0)
    gone: set[int] = set()
    for _, some in sorted(by_type.items()):
        for number in rng.sample(sorted(some), (len(some) + 1) // 2):
            gone |= some[number]

    def how(number: int, label: str) -> int:
        if number < 0:
            return 0
        types = {name.casefold() for name in names.described(number)["types"]}
        return 2 if label.casefold() in types else 1

    spans = "".join(str(how(*one)) for one in entities)
    left_out = "".join(str(int(number in gone)) for number, _ in entities)
    return Listed(names.digest, spans, left_out), gone


def _alike(names: Names, number: int) -> set[int]:
    """A name with and without articles at its start."""
    bare = names.form.keys(names.key(number))[-1]
    keys = [bare, *(names.form.of(article) + bare for article in names.form.articles)]
    return {n for n in names.ids(keys) if n >= 0}


def _variants(
    names: Names, train: Sequence[Sequence[str]], gone: Collection[int]
) -> Iterator[tuple[str, Builder]]:
    yield "half", copied(names, kept=_half(names))
    yield "random", _with_random(names, train)
    yield "shuffled", copied(names, topics=shuffled(names.types))
    yield "left_out", copied(names, kept=lambda number: number not in gone)


def copied(
    names: Names,
    kept: Callable[[int], bool] = lambda number: True,
    topics: Sequence[int] | None = None,
) -> Builder:
    """The names of a file. kept: whether one stays, by its number. topics: the place of what each
    topic becomes."""
    builder = Builder(
        names.form,
        dict(zip(names.topics, names.types, strict=True)),
        {source["id"]: source for source in names.sources},
    )
    called = [names.topics[n] for n in topics or range(len(names.topics))]
    sources = [[source["id"]] for source in names.sources]
    for number in filter(kept, range(len(names))):
        key = names.key(number)
        for topic, source in names.entries_of(number):
            builder.add_key(key, called[topic], sources[source])
    return builder


def _half(names: Names) -> Callable[[int], bool]:
    """A name goes with its article or stays with it."""
    rng = random.Random(0)
    drawn: dict[str, bool] = {}

    def kept(number: int) -> bool:
        bare = names.form.keys(names.key(number))[-1]
        if bare not in drawn:
            drawn[bare] = rng.random() < 0.5
        return drawn[bare]

    return kept


def shuffled(types: Sequence[Sequence[str]]) -> list[int]:
    """For each topic another one, each once, of another likeliest type (if no type has more than
    half of the topics). types: of each topic, the likeliest first."""
    first = [next(iter(some), "") for some in types]
    order = random.Random(0).sample(range(len(types)), len(types))
    order.sort(key=first.__getitem__)
    most = max(map(first.count, first))
    others = dict(zip(order, order[most:] + order[:most], strict=True))
    return [others[n] for n in range(len(types))]


def _with_random(names: Names, train: Sequence[Sequence[str]]) -> Builder:
    builder = copied(names)
    rng = np.random.default_rng(0)
    for key in random_ngrams(names, train, RANDOM, rng):
        topic = names.topics[rng.integers(len(names.topics))]
        builder.add_key(key, topic, [ADDED])
    return builder


def random_ngrams(
    names: Names, train: Sequence[Sequence[str]], count: int, rng: np.random.Generator
) -> list[str]:
    """Keys of n-grams of the words of texts: of the half as they stand there, of the half each word
    drawn for itself. There are not enough of the former.

    Raises a StudyError where the texts have too few.
    """
    words = [word for text in train for word in text]
    forms = {word: names.form.of(word) for word in {*words}}
    units = [forms[word] for word in words if forms[word]]
    found: dict[str, None] = {}
    before = -1
    while before < len(found) < count and units:
        before = len(found)
        places = rng.integers(len(units), size=(_DRAWN, LONGEST))
        places[::2] = (places[::2, :1] + np.arange(LONGEST)) % len(units)
        lengths = rng.integers(1, LONGEST + 1, _DRAWN)
        for row, length in zip(places.tolist(), lengths.tolist(), strict=True):
            key = "".join(units[at] for at in row[:length])
            if not why_no_name([key]):
                found[key] = None
    if len(found) < count:
        raise StudyError(
            f"The training part has words for {len(found):,} n-grams, expected {count:,}: it is "
            "too small for this experiment."
        )
    return list(found)[:count]


def _words(doc: Doc) -> list[str]:
    return [token.text for token in doc]
