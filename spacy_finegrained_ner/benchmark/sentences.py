"""The sentences that all sides of a benchmark work on."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import spacy
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.corpus import bare_copy
from spacy_finegrained_ner.data.files import read_gold
from spacy_finegrained_ner.errors import UserError


@dataclass(frozen=True)
class Sample:
    """A config, an encoder and sentences. Can be pickled: each side also runs in a process of its
    own, for its memory.

    config: file of the pipeline that is measured. encoder: folder or name of the encoder, for all
    sides. docs: the gold Docs, as a DocBin. words: how many they have.
    """

    config: Path
    encoder: str
    docs: bytes
    words: int

    def gold(self, vocab: Vocab) -> list[Doc]:
        """The gold Docs."""
        return list(DocBin().from_bytes(self.docs).get_docs(vocab))

    def examples(self, vocab: Vocab) -> list[Example]:
        """New Examples, whose predicted side has the gold tokens only."""
        return [Example(bare_copy(doc, vocab), doc) for doc in self.gold(vocab)]

    def bare(self, vocab: Vocab) -> list[Doc]:
        """Docs to annotate."""
        return [bare_copy(doc, vocab) for doc in self.gold(vocab)]


def draw(data: Path, sentences: int, config: Path, encoder: str) -> Sample:
    """A sample of gold data: the same one each time. 0 sentences: all.

    Raises a `UserError` for a file that can't be read, or one without entities.
    """
    docs = read_docs(data)
    if sentences and sentences < len(docs):
        docs = random.Random(0).sample(docs, sentences)
    if not any(doc.ents for doc in docs):
        raise UserError(f"{data}: no entities in the {len(docs)} sentences drawn of it.")
    return Sample(config, encoder, DocBin(docs=docs).to_bytes(), sum(map(len, docs)))


def read_docs(data: Path) -> list[Doc]:
    """The gold Docs of a file in any form that have tokens, in a vocab of their own. Raises a
    `UserError` for a file that can't be read."""
    return [doc for doc in read_gold(spacy.blank("en"), data) if len(doc)]
