"""What a listener gets from the component that it listens to, and what it silently does not get.

In prediction spaCy's listeners go on with zeros where nothing came, and the tagger would make
something up from them.
"""

import warnings
from collections.abc import Sequence
from typing import Any
from unicodedata import category

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model
from thinc.types import Floats2d

_TRANSFORMER, _TOK2VEC = "transformer-listener", "tok2vec-listener"


class Upstream:
    """Looks after the listener of a component's model, if it has one.

    owner: the name of the component, for messages.
    cut_tokens: how many tokens had to be tagged without a vector, so far.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.cut_tokens = 0

    def require_width(self, model: Model[Any, Any]) -> None:
        """A ValueError before `initialize` where nothing has told the listener its width."""
        listener = _listener(model)
        if listener is not None and listener.has_dim("nO") is None:
            raise ValueError(
                f"'{self.owner}' {self._listens(listener)}, but there is none before it in the "
                f"pipeline that is initialized. {self._remedy(listener)}"
            )

    def check(self, model: Model[Any, Any], docs: Sequence[Doc]) -> None:
        """A ValueError for a Doc that a listener got no vectors for."""
        listener = _listener(model)
        if listener is None:
            return
        for doc in docs:
            if listener.name == _TRANSFORMER:
                found = doc._.trf_data is not None
            else:
                found = len(doc.tensor) == len(doc)
            if not found:
                raise ValueError(
                    f"'{self.owner}' {self._listens(listener)}, but none has run on the text "
                    f"{doc.text[:60]!r}: it would be tagged without vectors. "
                    f"{self._remedy(listener)}"
                )

    def count_cut(
        self, model: Model[Any, Any], docs: Sequence[Doc], vectors: Sequence[Floats2d]
    ) -> None:
        """Tokens that an encoder, listened to or the component's own, gave no wordpieces, though
        they have characters to be seen: spacy-transformers drops what is beyond the encoder's
        longest input. Their vectors are 0. A warning, once.

        vectors: for each Doc, *Shape:* (tokens, width).
        """
        block = _encoder_block(model, self.owner)
        if block is None:
            return
        for doc, rows in zip(docs, vectors, strict=True):
            # One number tells nearly all of them; only the others are looked at as a whole
            zero = np.flatnonzero(model.ops.to_numpy(rows[:, 0]) == 0)
            if not len(zero):
                continue
            cut = [doc[i] for i in zero.tolist() if not rows[i].any()]
            cut = [token for token in cut if any(category(c)[0] in "LNPS" for c in token.text)]
            if cut and not self.cut_tokens:
                warnings.warn(
                    f"'{self.owner}': {len(cut)} of {len(doc)} tokens of the text "
                    f"{doc.text[:60]!r} are beyond the longest input of the encoder, and are "
                    f"tagged without a vector (the first is {cut[0].text[:30]!r}, token "
                    f"{cut[0].i}). Set a smaller window (and stride) in "
                    f"[{block}.get_spans]. This is said once; cut_tokens of "
                    "the component counts on.",
                    stacklevel=2,
                )
            self.cut_tokens += len(cut)

    def _listens(self, listener: Any) -> str:
        return f"listens to a {_kind(listener)} ({listener.upstream_name!r})"

    def _remedy(self, listener: Model[Any, Any]) -> str:
        kind = _kind(listener)
        return (
            f"Have an enabled {kind} before '{self.owner}' in nlp.pipeline; or give "
            f"'{self.owner}' an encoder of its own: nlp.replace_listeners('{kind}', "
            f"'{self.owner}', ['model.tok2vec']) in the pipeline that has it."
        )


def _listener(model: Model[Any, Any]) -> Model[Any, Any] | None:
    return next((node for node in model.walk() if node.name in (_TRANSFORMER, _TOK2VEC)), None)


def _encoder_block(model: Model[Any, Any], owner: str) -> str | None:
    """The block of the config that has the encoder of spacy-transformers, or None."""
    for node in model.walk():
        if node.name == _TRANSFORMER:
            return "components.transformer.model"
        if node.name == "transformer":  # in place of a listener
            return f"components.{owner}.model.tok2vec"
    return None


def _kind(listener: Model[Any, Any]) -> str:
    return "transformer" if listener.name == _TRANSFORMER else "tok2vec"
