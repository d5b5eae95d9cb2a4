"""Tokens that an encoder gives no vector, and why: told from its spans and wordpieces."""

import warnings
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any, NamedTuple
from unicodedata import category

import numpy as np
from spacy.tokens import Doc, Token

_COUNTING = Lock()
"""Of all components: a lock of its own could not be pickled with one."""


class Encoder(NamedTuple):
    """block: of the config. node: of spacy-transformers or ours; None where it can't be seen."""

    block: str
    node: Any


class WithoutVector:
    """Counts the tokens of a component that were tagged without a vector, and says so: of each of
    two causes once. Their vectors are 0.

    owner: the name of the component, for messages.
    cut: those beyond the encoder's longest input, whose wordpieces spacy-transformers drops.
    uncovered: those in none of the spans that the encoder reads.

    A token whose characters the encoder's tokenizer deletes (U+FFFD, those that nobody sees) is
    neither: it has no wordpieces anyway, and nothing can be done about it.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.cut = 0
        self.uncovered = 0

    def count(
        self, find_encoder: Callable[[], Encoder | None], docs: Sequence[Doc], blank: Any
    ) -> None:
        """find_encoder: gives None where the vectors are not those of an encoder; only asked where
        a token has none. blank: 1 where the vector of a token is 0; *Shape:* (docs, tokens)."""
        for doc, row in zip(docs, blank, strict=True):
            tokens = [doc[i] for i in np.flatnonzero(row[: len(doc)]).tolist()]
            tokens = [token for token in tokens if is_seen(token)]
            if not tokens:
                continue
            encoder = find_encoder()
            if encoder is None:
                return
            uncovered, cut = _causes(encoder.node, doc, tokens)
            where = f"[{encoder.block}.get_spans]"
            self._tell(
                "cut",
                cut,
                "are beyond the longest input of the encoder",
                f"Set a smaller window (and stride) in {where}.",
            )
            self._tell(
                "uncovered",
                uncovered,
                "are in none of the spans that the encoder reads",
                f"Set a stride of at most the window in {where} (of another kind: spans that cover "
                "every token).",
            )

    def _tell(self, kind: str, tokens: list[Token], cause: str, remedy: str) -> None:
        if not tokens:
            return
        with _COUNTING:
            before = getattr(self, kind)
            setattr(self, kind, before + len(tokens))
        if not before:
            doc = tokens[0].doc
            warnings.warn(
                f"'{self.owner}': {len(tokens)} of {len(doc)} tokens of the text "
                f"{doc.text[:60]!r} {cause}, and are tagged without a vector (the first is "
                f"{tokens[0].text[:30]!r}, token {tokens[0].i}). {remedy} This is said once; "
                f"{kind}_tokens of the component counts on.",
                stacklevel=2,
            )


def is_seen(token: Token) -> bool:
    """Whether it has a character to be seen."""
    return any(category(c)[0] in "LNPS" for c in token.text)


def uncovered_tokens(node: Any, doc: Doc) -> list[Token]:
    """Those that are in none of the spans that the encoder's node reads."""
    covered = {token.i for span in node.attrs["get_spans"]([doc])[0] for token in span}
    return [token for token in doc if token.i not in covered]


def _causes(node: Any, doc: Doc, tokens: list[Token]) -> tuple[list[Token], list[Token]]:
    """Which of the tokens no span covers, and which have wordpieces that were cut off."""
    if node is None:
        return [], tokens  # the usual cause
    left_out = {token.i for token in uncovered_tokens(node, doc)}
    uncovered = [token for token in tokens if token.i in left_out]
    if len(uncovered) == len(tokens):
        return uncovered, []
    # Here and not on import: what a pipeline without a transformer need not have
    from spacy_finegrained_ner.ml.encoder_batches import wordpieces_of_tokens

    spans = [span for span in node.attrs["get_spans"]([doc])[0] if len(span)]
    pieces = wordpieces_of_tokens(node.tokenizer, spans)
    return uncovered, [t for t in tokens if t.i not in left_out and pieces[t.i]]
