"""Labelled texts as spaCy Docs, and as corpora that `spacy train` reads without conversion."""

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

from spacy_finegrained_ner.data.conll import Sentence, read_conll
from spacy_finegrained_ner.data.forms.loading import load
from spacy_finegrained_ner.data.forms.record import Options
from spacy_finegrained_ner.data.forms.text import known_encoding
from spacy_finegrained_ner.data.parts import files_of
from spacy_finegrained_ner.settings import CountOrZero, checked

Scheme = Annotated[
    Literal["IOB2", "IOB1", "IO", "IOBES", "BILUO", "labels"],
    "IOB2, IOB1, IO, IOBES, BILUO or labels",
]
TagColumn = Annotated[str | int, "a name, or the number of a column"]
TagNames = Annotated[list[str], Field(min_length=1), "a list of names"]
Encoding = Annotated[str, AfterValidator(known_encoding), "an encoding such as cp1252"]

EMBEDDED = Path(__file__).with_name("embedded")
"""Folder of the embedded corpus: train.conll and valid.conll."""


def sentence_to_doc(vocab: Vocab, sentence: Sentence) -> Doc:
    """A gold Doc: the tokens of the sentence, its entities, and tags that are not known as
    missing. CoNLL does not say where spaces are, and the Doc says so
    (`has_unknown_spaces`): with it, spaCy keeps the gold tokens instead of tokenizing anew."""
    tags: list[str] = []
    for tag in sentence.tags:
        # I- after a tag that is not known is not known either: spaCy would begin an entity there.
        unknown = tag == "-" or (tag.startswith("I-") and tags[-1:] == [""])
        tags.append("" if unknown else tag)
    return Doc(vocab, words=list(sentence.words), ents=tags)


def bare_copy(doc: Doc, vocab: Vocab) -> Doc:
    """The tokens of a Doc and nothing else, with its own spaces where it knows them."""
    words = [token.text for token in doc]
    if doc.has_unknown_spaces:
        return Doc(vocab, words=words)
    return Doc(vocab, words=words, spaces=[bool(token.whitespace_) for token in doc])


@checked("spacy-finegrained-ner.ConllCorpus.v1")
def build_conll_corpus_v1(
    path: str | Path | None, limit: CountOrZero = 0
) -> Callable[[Language], Iterator[Example]]:
    """Registered as `spacy-finegrained-ner.ConllCorpus.v1` (readers).

    path: a CoNLL file (see `data.conll`). limit: read this many sentences, 0 for all.
    The predicted side of each Example has the gold tokens. Raises `ConllError` when read.
    """
    if path is None:
        raise ValueError(
            "spacy-finegrained-ner.ConllCorpus.v1 has no path. Give one in the config or on the "
            "command line, for instance --paths.train corpus/train.conll"
        )

    def read(nlp: Language) -> Iterator[Example]:
        for sentence in islice(read_conll(path), limit or None):
            gold = sentence_to_doc(nlp.vocab, sentence)
            yield Example(bare_copy(gold, nlp.vocab), gold)

    return read


@checked("spacy-finegrained-ner.Corpus.v1")
def build_corpus_v1(
    path: str | Path | None,
    limit: CountOrZero = 0,
    scheme: Scheme | None = None,
    tag_column: TagColumn | None = None,
    tag_names: TagNames | None = None,
    encoding: Encoding | None = None,
) -> Callable[[Language], Iterator[Example]]:
    """Registered as `spacy-finegrained-ner.Corpus.v1` (readers).

    path: a file in any form that `convert` reads, or a folder, of which all files are read, at any
        depth. limit: read this many texts, 0 for all.
    scheme, tag_column, tag_names, encoding: what can't be found in the data, see
        `data.forms.record.Options`.

    Texts without tokens are tokenized by the pipeline. The predicted side of each Example has the
    gold tokens. What is lost is told by a warning. Raises a `FormError` when read.
    """
    if path is None:
        raise ValueError(
            "spacy-finegrained-ner.Corpus.v1 has no path. Give one in the config or on the command "
            "line, for instance --paths.train my_data/train.jsonl"
        )
    options = Options(scheme, tag_column, tag_names, encoding)

    def read(nlp: Language) -> Iterator[Example]:
        parts, account = load({"all": files_of(Path(path))}, nlp.vocab, nlp.make_doc, options)
        if lost := account.told():
            warnings.warn(f"{path}: {lost}", stacklevel=2)
        for gold in parts["all"].docs[: limit or None]:
            yield Example(bare_copy(gold, nlp.vocab), gold)

    return read
