"""What a listener gets from the component that it listens to, and what it silently does not get.

In prediction spaCy's listeners go on with zeros where nothing came, and the tagger would make
something up from them.
"""

import re
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import getclosurevars
from typing import Any
from unicodedata import category

import numpy as np
from spacy.language import Language
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
        self._nlp: Callable[[], Language | None] = _nowhere

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_nlp": _nowhere}  # a weak reference can't be pickled

    def placed_in(self, nlp: Language | None) -> None:
        """Remember the pipeline of the component, while there is one."""
        self._nlp = _nowhere if nlp is None else weakref.ref(nlp)

    def require_width(self, model: Model[Any, Any]) -> None:
        """A ValueError before `initialize` where nothing has told the listener its width."""
        listener = _listener(model)
        if listener is not None and listener.has_dim("nO") is None:
            raise ValueError(
                f"'{self.owner}' {self._listens(listener)}, but there is none before it in the "
                f"pipeline that is initialized. {self._remedy(listener)}"
            )

    def check(self, model: Model[Any, Any], docs: Sequence[Doc]) -> None:
        """A ValueError for a Doc that a listener got no vectors for, or those of other tokens."""
        listener = _listener(model)
        if listener is None:
            return
        self._check_pipeline(listener)
        for doc in docs:
            if listener.name == _TRANSFORMER:
                data = doc._.trf_data
                found = data is not None
                if found and len(doc) and not _of_these_tokens(data, doc):
                    raise ValueError(self._other_tokens(listener, doc, len(data.align.lengths)))
            else:
                found = len(doc.tensor) == len(doc)
            if not found:
                raise ValueError(
                    f"'{self.owner}' {self._listens(listener)}, but none has run on the text "
                    f"{doc.text[:60]!r}: it would be tagged without vectors. "
                    f"{self._remedy(listener)}"
                )

    @contextmanager
    def same_tokens(self, model: Model[Any, Any]) -> Iterator[None]:
        """In training a listener itself tells that the tokens are others, but not why."""
        try:
            yield
        except ValueError as error:
            listener = _listener(model)
            if listener is None or not re.search("Mismatched IDs|E953", str(error)):
                raise
            raise ValueError(self._other_tokens(listener)) from error

    def alone(self, model: Model[Any, Any]) -> bool:
        """Whether nobody else waits for the gradient of a batch: the last component that listens to
        an encoder passes on the gradients of all. Where nobody does, the listener forgets the
        batch."""
        listener: Any = _listener(model)
        if listener is None or listener._backprop is None:
            return True
        # What a listener has got is a function of the update of the pipe it listens to
        pipe = getclosurevars(listener._backprop).nonlocals.get("self")
        if len(getattr(pipe, "listeners", ())) != 1:
            return False
        listener.receive(None, None, None)
        return True

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

    def _check_pipeline(self, listener: Any) -> None:
        """A ValueError where another transformer comes after the one that is listened to: a Doc has
        the vectors of the last one only."""
        nlp = self._nlp()
        if nlp is None or listener.name != _TRANSFORMER or listener.upstream_name == "*":
            return
        last = None
        for name, pipe in nlp.pipeline:
            if getattr(pipe, "upstream", None) is self:
                break
            if nlp.get_pipe_meta(name).factory == "transformer":
                last = name
        else:
            return  # it is in another pipeline
        if last not in (None, listener.upstream_name):
            raise ValueError(
                f"'{self.owner}' {self._listens(listener)}, but {last!r} comes between the two, "
                "and a Doc has the vectors of the last transformer only (doc._.trf_data): it would "
                f"be tagged from those. Put '{self.owner}' right behind "
                f"{listener.upstream_name!r}; or give it an encoder of its own: "
                f"nlp.replace_listeners({listener.upstream_name!r}, '{self.owner}', "
                "['model.tok2vec'])."
            )

    def _other_tokens(self, listener: Any, doc: Doc | None = None, seen: int = 0) -> str:
        kind = _kind(listener)
        text = (
            f": of the text {doc.text[:60]!r} it saw {seen}, and there are {len(doc)}"
            if doc
            else ""
        )
        return (
            f"'{self.owner}' {self._listens(listener)}, and the tokens are no longer those that it "
            f"has seen{text}. A component between the two has merged or split tokens: move it "
            f"before the {kind}, or behind '{self.owner}' (or the {kind} has not run on these "
            "texts: have it enabled, or among annotating_components if it is frozen)."
        )

    def _listens(self, listener: Any) -> str:
        return f"listens to a {_kind(listener)} ({listener.upstream_name!r})"

    def _remedy(self, listener: Model[Any, Any]) -> str:
        kind = _kind(listener)
        return (
            f"Have an enabled {kind} before '{self.owner}' in nlp.pipeline; or give "
            f"'{self.owner}' an encoder of its own: nlp.replace_listeners('{kind}', "
            f"'{self.owner}', ['model.tok2vec']) in the pipeline that has it."
        )


def _of_these_tokens(data: Any, doc: Doc) -> bool:
    """Whether the vectors are of the Doc's tokens. Those of `TransformerLayers.v1` know of which
    they are (until they are saved), others only of how many."""
    seen = getattr(data, "token_ids", None)
    if seen is not None:
        return bool(np.array_equal(seen, doc.to_array("ORTH")))
    return len(data.align.lengths) in (0, len(doc))


def _nowhere() -> None:
    return None


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
