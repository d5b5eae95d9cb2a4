"""What a listener gets from the component that it listens to, and what it silently does not get.

In prediction spaCy's listeners go on with zeros where nothing came, and the tagger would make
something up from them.
"""

import re
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import getclosurevars, isfunction
from threading import Lock
from typing import Any
from unicodedata import category

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, Token
from thinc.api import Model

_COUNTING = Lock()
"""Of all components: a lock of its own could not be pickled with one."""
_CURATED = "_TRANSFORMER_LISTENER"
"""By this attr of theirs spacy-curated-transformers knows its listeners: they are plain layers."""
_ON_DOC = {"transformer": "align", "curated_transformer": "last_hidden_layer_state"}
"""Kinds that have their vectors from doc._.trf_data, and what tells that it is of that kind."""


class Upstream:
    """Looks after the listeners of a component's model, if it has any.

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
        for listener in _listeners(model):
            if listener.has_dim("nO") is None:
                raise ValueError(
                    f"'{self.owner}' {self._listens(listener)}, but there is none before it in the "
                    f"pipeline that is initialized. {self._remedy(listener)} What spacy init "
                    "config writes has none; a complete config is written, and the component put "
                    "into one of yours, by: python -m spacy_finegrained_ner init-config"
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
                        f"{self._remedy(listener)}"
                    )
                if not _of_these_tokens(data, doc):
                    raise ValueError(self._other_tokens(listener, doc, len(_lengths(data))))

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

    def count_cut(self, model: Model[Any, Any], docs: Sequence[Doc], emissions: Any) -> None:
        """Tokens that an encoder, listened to or the component's own, gave no wordpieces, though
        they have characters to be seen: spacy-transformers drops what is beyond the encoder's
        longest input. Their vectors are 0. A warning, once.

        emissions: of these Docs; its `blank` says where a vector is 0.
        """
        block = _encoder_block(model, self.owner)
        if block is None or emissions.blank is None:
            return
        blank = model.ops.to_numpy(emissions.blank)
        for doc, row in zip(docs, blank, strict=True):
            cut = [doc[i] for i in np.flatnonzero(row[: len(doc)]).tolist()]
            cut = [token for token in cut if _seen(token)]
            if not cut:
                continue
            with _COUNTING:
                first, self.cut_tokens = not self.cut_tokens, self.cut_tokens + len(cut)
            if first:
                warnings.warn(
                    f"'{self.owner}': {len(cut)} of {len(doc)} tokens of the text "
                    f"{doc.text[:60]!r} are beyond the longest input of the encoder, and are "
                    f"tagged without a vector (the first is {cut[0].text[:30]!r}, token "
                    f"{cut[0].i}). Set a smaller window (and stride) in "
                    f"[{block}.get_spans]. This is said once; cut_tokens of "
                    "the component counts on.",
                    stacklevel=2,
                )

    def _check_pipeline(self, listener: Any) -> None:
        """A ValueError where another transformer comes after the one that is listened to: a Doc has
        the vectors of the last one only."""
        nlp = self._nlp()
        if nlp is None or _kind(listener) not in _ON_DOC or _upstream_name(listener) == "*":
            return
        last = None
        for name, pipe in nlp.pipeline:
            if getattr(pipe, "upstream", None) is self:
                break
            if nlp.get_pipe_meta(name).factory in _ON_DOC:
                last = name
        else:
            return  # it is in another pipeline
        upstream = _upstream_name(listener)
        if last not in (None, upstream):
            raise ValueError(
                f"'{self.owner}' {self._listens(listener)}, but {last!r} comes between the two, "
                "and a Doc has the vectors of the last transformer only (doc._.trf_data): it would "
                f"be tagged from those. Put '{self.owner}' right behind "
                f"{upstream!r}; or give it an encoder of its own: "
                f"nlp.replace_listeners({upstream!r}, '{self.owner}', "
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

    def _remedy(self, listener: Model[Any, Any]) -> str:
        kind, upstream = _kind(listener), _upstream_name(listener)
        return (
            f"Have an enabled {kind} before '{self.owner}' in nlp.pipeline; or give "
            f"'{self.owner}' an encoder of its own: "
            f"nlp.replace_listeners('{kind if upstream == '*' else upstream}', "
            f"'{self.owner}', ['model.tok2vec']) in the pipeline that has it."
        )


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
        rows if rows.any() or not any(map(_seen, doc)) else None
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


def _seen(token: Token) -> bool:
    """Whether it has a character to be seen."""
    return any(category(c)[0] in "LNPS" for c in token.text)


def _nowhere() -> None:
    return None


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
    return getattr(listener, "_backprop", _nowhere)


def _forget(listener: Any) -> None:
    """The batch that it has got."""
    if _CURATED in listener.attrs:
        state = listener.attrs["_state"]
        state.batch_id = state.outputs = state.backprop = None
    else:
        listener.receive(None, None, None)


def _encoder_block(model: Model[Any, Any], owner: str) -> str | None:
    """The block of the config that has the encoder of spacy-transformers, or None."""
    for node in model.walk():
        if node.name == "transformer-listener":
            return "components.transformer.model"
        if node.name == "transformer":  # in place of a listener
            return f"components.{owner}.model.tok2vec"
    return None


def _kind(listener: Any) -> str:
    """transformer, tok2vec, curated_transformer or, of another kind, what its name says."""
    if _CURATED in listener.attrs:
        return "curated_transformer"
    return re.sub(r"[-_ ]?listener$", "", listener.name) or "component"
