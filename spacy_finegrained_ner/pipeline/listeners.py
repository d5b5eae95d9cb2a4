"""What a listener gets from the component that it listens to, and what it silently does not get.

In prediction spaCy's listeners go on with zeros where nothing came, and the tagger would make
something up from them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import getclosurevars, isfunction
from typing import Any

import numpy as np
from spacy.tokens import Doc
from thinc.api import Model

from spacy_finegrained_ner.pipeline.place import Place
from spacy_finegrained_ner.pipeline.without_vector import (
    Encoder,
    WithoutVector,
    is_seen,
    uncovered_tokens,
)

_CURATED = "_TRANSFORMER_LISTENER"
"""By this attr of theirs spacy-curated-transformers knows its listeners: they are plain layers."""
_ON_DOC = {"transformer": "align", "curated_transformer": "last_hidden_layer_state"}
"""Kinds that have their vectors from doc._.trf_data, and what tells that it is of that kind."""


class ListenerCheck:
    """Looks after the listeners of a component's model, if it has any.

    owner: the name of the component, for messages. place: in its pipeline.
    without_vector: the tokens that had to be tagged without one, so far.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.place = Place(owner)
        self.without_vector = WithoutVector(owner)

    def require_width(self, model: Model[Any, Any]) -> None:
        """A ValueError before `initialize` where nothing has told the listener its width."""
        for listener in _listeners(model):
            if listener.has_dim("nO") is None:
                why = self.place.why(_kind(listener), _upstream_name(listener), "initialized")
                raise ValueError(
                    f"'{self.owner}' {self._listens(listener)}, but none before it is initialized. "
                    f"{why}"
                )

    def check(self, model: Model[Any, Any], docs: Sequence[Doc]) -> None:
        """A ValueError for a Doc that a listener got no vectors for, or those of other tokens."""
        docs = [doc for doc in docs if len(doc)]
        for listener in _listeners(model):
            self._check_pipeline(listener)
            for doc, data in zip(docs, _received(listener, docs), strict=True):
                if data is None:
                    raise ValueError(
                        f"'{self.owner}' {self._listens(listener)}, but none has run on the text "
                        f"{doc.text[:60]!r}: it would be tagged without vectors. "
                        f"{self.place.why(_kind(listener), _upstream_name(listener), 'run')}"
                    )
                if not _of_these_tokens(data, doc):
                    self._require_covered(model, doc)
                    raise ValueError(self._other_tokens(listener, doc, len(_lengths(data))))

    def _require_covered(self, model: Model[Any, Any], doc: Doc) -> None:
        """Last tokens that no span has are missing in what spacy-transformers gives."""
        encoder = self._encoder(model)
        if encoder is None or encoder.node is None:
            return
        if left_out := uncovered_tokens(encoder.node, doc):
            raise ValueError(
                f"'{self.owner}' got no vectors for {len(left_out)} of {len(doc)} tokens of the "
                f"text {doc.text[:60]!r} (the first is {left_out[0].text[:30]!r}, token "
                f"{left_out[0].i}): they are in none of the spans that the encoder reads. Set a "
                f"stride of at most the window in [{encoder.block}.get_spans] (of another kind: "
                "spans that cover every token)."
            )

    def require_lengths(
        self, model: Model[Any, Any], docs: Sequence[Doc], lengths: Sequence[int]
    ) -> None:
        """A ValueError for a Doc of whose tokens not all have come. lengths: how many have."""
        for doc, count in zip(docs, lengths, strict=True):
            if count != len(doc):
                self._require_covered(model, doc)
                for listener in _listeners(model):
                    raise ValueError(self._other_tokens(listener, doc, count))
                raise ValueError(
                    f"The tok2vec of '{self.owner}' gives {count} vectors for the text "
                    f"{doc.text[:60]!r} of {len(doc)} tokens, expected one for each token."
                )

    def listens(self, model: Model[Any, Any]) -> bool:
        """Whether another component makes the vectors."""
        return bool(_listeners(model))

    @contextmanager
    def same_tokens(self, model: Model[Any, Any]) -> Iterator[None]:
        """In training a listener itself tells that the tokens are others, but not why."""
        try:
            yield
        except ValueError as error:
            listeners = _listeners(model)
            if not listeners or not re.search("Mismatched IDs|E953", str(error)):
                raise
            raise ValueError(self._other_tokens(listeners[0])) from error

    def alone(self, model: Model[Any, Any]) -> bool:
        """Whether nobody else waits for the gradient of a batch: the last component that listens to
        an encoder passes on the gradients of all. Where nobody does, the listener forgets the
        batch."""
        own = _listeners(model)
        waiting = [listener for listener in own if _backprop(listener) is not None]
        for listener in waiting:
            backprop = _backprop(listener)
            # What a listener has got is a function of the update of the pipe it listens to
            pipe = getclosurevars(backprop).nonlocals.get("self") if isfunction(backprop) else None
            # Where it can't be seen who else listens, there may be others
            listening = getattr(pipe, "listeners", None) or [None]
            if not all(any(one is mine for mine in own) for one in listening):
                return False
        for listener in waiting:
            _forget(listener)
        return True

    def count_without_vector(self, model: Model[Any, Any], docs: Sequence[Doc], blank: Any) -> None:
        """Tokens that an encoder, listened to or the component's own, gave no wordpieces, see
        `WithoutVector`. blank: of the emissions of these Docs."""
        if blank is not None:
            blank = model.ops.to_numpy(blank)
            self.without_vector.count(lambda: self._encoder(model), docs, blank)

    def _encoder(self, model: Model[Any, Any]) -> Encoder | None:
        """That of spacy-transformers, or ours; None where there is none of them."""
        for node in model.walk():
            if node.name == "transformer-listener":
                upstream = _upstream_name(node)
                heard = [
                    one
                    for one in self.place.neighbors() or []
                    if one.before and one.enabled and one.factory == "transformer"
                    if upstream in ("*", one.name)
                ]
                if not heard:
                    return Encoder("components.transformer.model", None)
                return Encoder(f"components.{heard[-1].name}.model", heard[-1].pipe.model)
            if node.name == "transformer":  # in place of a listener
                return Encoder(f"components.{self.owner}.model.tok2vec", node)
        return None

    def _check_pipeline(self, listener: Any) -> None:
        """A ValueError where the vectors that a Doc has are those of another transformer: a Doc has
        those of the last one only."""
        upstream = _upstream_name(listener)
        if _kind(listener) not in _ON_DOC or upstream == "*":
            return
        before = [one for one in self.place.neighbors() or [] if one.before and one.enabled]
        names = [one.name for one in before if one.factory in _ON_DOC]
        if not names or names[-1] == upstream:
            return
        if upstream not in [one.name for one in before]:
            raise ValueError(
                f"'{self.owner}' {self._listens(listener)}, and would be tagged from the vectors "
                f"of {names[-1]!r}. {self.place.why(_kind(listener), upstream, 'run')}"
            )
        raise ValueError(
            f"'{self.owner}' {self._listens(listener)}, but {names[-1]!r} comes between the two, "
            "and a Doc has the vectors of the last transformer only (doc._.trf_data): it would "
            f"be tagged from those. Put '{self.owner}' right behind {upstream!r}; or give it an "
            f"encoder of its own: nlp.replace_listeners({upstream!r}, '{self.owner}', "
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
        return f"listens to a {_kind(listener)} ({_upstream_name(listener)!r})"


def _received(listener: Any, docs: list[Doc]) -> list[Any]:
    """Where the vectors of each Doc come from, or None for a Doc that has none."""
    kind = _kind(listener)
    if kind == "tok2vec":
        return [doc.tensor if len(doc.tensor) == len(doc) else None for doc in docs]
    if kind in _ON_DOC:
        # The attribute is not there before the first of the transformers is made
        datas = [getattr(doc._, "trf_data", None) for doc in docs]
        return [data if hasattr(data, _ON_DOC[kind]) else None for data in datas]
    # Where others have theirs from is not known: it shows in what comes out. A Doc without a
    # character to be seen may rightly have zeros
    vectors = listener.predict(docs) if docs else []
    return [
        rows if rows.any() or not any(map(is_seen, doc)) else None
        for doc, rows in zip(docs, vectors, strict=True)
    ]


def _of_these_tokens(data: Any, doc: Doc) -> bool:
    """Whether the vectors are of the Doc's tokens. Those of `TransformerLayers.v1` know of which
    they are (until they are saved), others only of how many."""
    seen = getattr(data, "token_ids", None)
    if seen is not None:
        return bool(np.array_equal(seen, doc.to_array("ORTH")))
    return len(_lengths(data)) in (0, len(doc))


def _lengths(data: Any) -> Any:
    """Something with a row for each token that the encoder has seen."""
    found = (getattr(data, name).lengths for name in _ON_DOC.values() if hasattr(data, name))
    return next(found, data)


def _listeners(model: Model[Any, Any]) -> list[Any]:
    return [node for node in model.walk() if _CURATED in node.attrs or _has_received(node)]


def _has_received(node: Any) -> bool:
    return hasattr(node, "upstream_name") and hasattr(node, "receive")


def _upstream_name(listener: Any) -> str:
    curated = _CURATED in listener.attrs
    return str(listener.attrs["_upstream_name"] if curated else listener.upstream_name)


def _backprop(listener: Any) -> Callable[..., Any] | None:
    """How the gradient of a batch goes back; None where the listener waits for none."""
    if _CURATED in listener.attrs:
        return listener.attrs["_state"].backprop
    return getattr(listener, "_backprop", _somewhere)


def _somewhere() -> None:
    """Stands for the way back of a listener that is not known."""


def _forget(listener: Any) -> None:
    """The batch that it has got."""
    if _CURATED in listener.attrs:
        state = listener.attrs["_state"]
        state.batch_id = state.outputs = state.backprop = None
    else:
        listener.receive(None, None, None)


def _kind(listener: Any) -> str:
    """transformer, tok2vec, curated_transformer or, of another kind, what its name says."""
    if _CURATED in listener.attrs:
        return "curated_transformer"
    return re.sub(r"[-_ ]?listener$", "", listener.name) or "component"
