"""What stands behind sentences: names that are in them, or similar texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from spacy.tokens import Doc, DocBin, Span
from spacy.util import load_config
from transformers import AutoTokenizer

from spacy_finegrained_ner.knowledge.common import Counts, Gold
from spacy_finegrained_ner.knowledge.found import Found
from spacy_finegrained_ner.knowledge.live import LiveNames
from spacy_finegrained_ner.knowledge.names import Names
from spacy_finegrained_ner.ml.missing_encoder import encoder_is_needed
from study.plan.experiment import Parts
from study.plan.stages import StudyError
from study.runs.pipelines import CONFIGS, Inputs
from study.runs.text_index import TextIndex

NAMES = 5
"""Names behind a sentence."""
TOPICS = 3
"""Topics of a name."""
TEXTS = 2
"""Similar texts behind a sentence."""

Behind = dict[str, list[list[list[str]]]]
"""For each Doc of each part, the words of each text that is to stand behind it."""


def write_context(kind: str, docs: Parts, train: str, inputs: Inputs) -> None:
    """Write PART-KIND.spacy of each part into the folder of prepared data.

    kind: of `KINDS`. docs: of the parts. train: the one that is trained on.

    Raises a StudyError or UserError for what is missing or can't be read.
    """
    behind = KINDS[kind](docs, train, inputs)
    separator = _separator(inputs.encoder)
    for part, some in docs.items():
        pairs = zip(some, behind[part], strict=True)
        longer = [with_context(doc, texts, separator) for doc, texts in pairs]
        DocBin(docs=longer).to_disk(inputs.work / f"{part}-{kind}.spacy")


def with_context(doc: Doc, texts: Iterable[Sequence[str]], separator: str) -> Doc:
    """A gold Doc with texts behind it, the separator before each. What is entity there is not
    known; a separator is none, and so no entity of the sentence goes on behind it."""
    words = [token.text for token in doc]
    unknown = [token.i for token in doc if not token.ent_iob]
    for text in texts:
        unknown += range(len(words) + 1, len(words) + 1 + len(text))
        words += [separator, *text]
    longer = Doc(doc.vocab, words=words)
    longer.set_ents(
        [Span(longer, ent.start, ent.end, ent.label_) for ent in doc.ents],
        missing=[Span(longer, i, i + 1) for i in unknown],
        default="outside",
    )
    return longer


def without_context(doc: Doc, own: int) -> tuple[Doc, int]:
    """The way back, for an annotated Doc.

    own: tokens of the sentence. RETURNS: the sentence with the entities in it, and how many more
    there were: behind it, or beyond its end.
    """
    sentence = Doc(doc.vocab, words=[token.text for token in doc[:own]])
    kept = [ent for ent in doc.ents if ent.end <= own]
    sentence.set_ents([Span(sentence, ent.start, ent.end, ent.label_) for ent in kept])
    return sentence, len(doc.ents) - len(kept)


def names_behind(docs: Parts, train: str, inputs: Inputs) -> Behind:
    """Of each sentence the longest names in it, with their topics, as one text. Names that are
    words are left out, as a component with names does: in training as counted in all other
    sentences, else in all of them."""
    try:
        names = LiveNames(Names.open(inputs.names()))
    except ValueError as error:
        raise StudyError(str(error)) from None
    config = load_config(CONFIGS / "knowledge.cfg")
    block = config["components"]["finegrained_ner"]["model"]["knowledge"]
    counts = Counts(names.file, block["common"])
    words = {part: [[token.text for token in doc] for doc in some] for part, some in docs.items()}
    gold = [_gold(doc) for doc in docs[train]]
    learned = names.find(words[train], training=True)
    counts.add(learned, gold)
    names.common = [names.file.key(number) for number in counts.common().tolist()]
    return {
        part: _listed(
            texts,
            learned.only(counts.names(learned, gold)) if part == train else names.find(texts),
            names.file,
        )
        for part, texts in words.items()
    }


def _gold(doc: Doc) -> Gold:
    known = np.array([bool(token.ent_iob) for token in doc], np.bool_)
    return Gold(doc.text, [(ent.start, ent.end) for ent in doc.ents], known)


def _listed(texts: Sequence[Sequence[str]], found: Found, names: Names) -> list[list[list[str]]]:
    """`name : topic , topic ; name : topic`, as words."""
    rows: list[list[tuple[int, int, int]]] = [[] for _ in texts]
    columns = (found.text, found.start, found.end, found.number)
    for text, *row in np.stack(columns, axis=1).tolist():
        rows[text].append(tuple(row))
    listed = []
    for words, some in zip(texts, rows, strict=True):
        told = []
        for start, end, number in longest(some):
            topics = names.described(number)["topics"][:TOPICS]
            told.append(f"{' '.join(words[start:end])} : {' , '.join(topics)}")
        listed.append([" ; ".join(told).replace("_", " ").split()] if told else [])
    return listed


def longest(names: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The longest few of them that do not overlap; of equal ones the first. Each is start, end
    (exclusive) and number."""
    kept: list[tuple[int, int, int]] = []
    for start, end, number in sorted(names, key=lambda name: (name[0] - name[1], name)):
        if all(end <= s or e <= start for s, e, _ in kept):
            kept.append((start, end, number))
    return kept[:NAMES]


def texts_behind(docs: Parts, train: str, inputs: Inputs) -> Behind:
    """Of each sentence the most similar ones of the unlabelled texts."""
    if inputs.texts is None:
        raise StudyError(
            "A run reads similar texts: give --texts, a file with a text on each line, or behind "
            "the last tab of it."
        )
    with closing(TextIndex(Path(inputs.texts), inputs.work)) as index:
        return {
            part: [index.similar([token.text for token in doc], TEXTS) for doc in some]
            for part, some in docs.items()
        }


def _separator(encoder: str) -> str:
    """Of the encoder: a word that its tokenizer takes for one piece, between two texts."""
    with encoder_is_needed(encoder) as options:
        found = AutoTokenizer.from_pretrained(encoder, **options).sep_token
    if found is None:
        raise StudyError(f"The encoder {encoder!r} has no separator, expected one such as [SEP].")
    return str(found)


KINDS: dict[str, Callable[[Parts, str, Inputs], Behind]] = {
    "names": names_behind,
    "texts": texts_behind,
}
