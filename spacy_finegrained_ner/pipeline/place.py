"""Where a component is in its pipeline, and why what it listens to has not done its part."""

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from spacy.language import Language


class Neighbor(NamedTuple):
    """Another component of the pipeline."""

    name: str
    factory: str
    pipe: Any
    before: bool
    enabled: bool


class Place:
    """Of a component, while its pipeline lives. owner: its name, for messages."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self._nlp: Callable[[], Language | None] = _nowhere

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_nlp": _nowhere}  # a weak reference can't be pickled

    def set(self, nlp: Language | None) -> None:
        """Remember the pipeline. A component that is sourced is not told of its new one."""
        self._nlp = _nowhere if nlp is None else weakref.ref(nlp)

    def neighbors(self) -> list[Neighbor] | None:
        """In the order of the pipeline; None where it is not in the one that is known."""
        nlp, found, before = self._nlp(), [], True
        for name, pipe in [] if nlp is None else nlp.components:
            if getattr(getattr(pipe, "listener_check", None), "place", None) is self:
                before = False
            elif nlp is not None:
                factory = nlp.get_pipe_meta(name).factory
                found.append(Neighbor(name, factory, pipe, before, name not in nlp.disabled))
        return None if before else found

    def why(self, kind: str, upstream: str, to_do: str) -> str:
        """Why a listener has nothing of what it listens to, as a cause and a remedy.

        kind: the factory of that. upstream: its name in the listener. to_do: "run" on a text, or
        to be "initialized".
        """
        there = self.neighbors()
        same = [one for one in there or [] if one.factory == kind]
        heard = [one for one in same if upstream in ("*", one.name)]
        before = [one for one in heard if one.before]
        own = (
            f"give '{self.owner}' an encoder of its own: nlp.replace_listeners("
            f"'{kind if upstream == '*' else upstream}', '{self.owner}', ['model.tok2vec']) in the "
            "pipeline that has it."
        )
        if any(one.enabled for one in before):
            return self._not_done([one.name for one in before if one.enabled][-1], to_do, kind)
        if before:
            name = before[-1].name
            if name in self._frozen():
                return (
                    f"{name!r} is in [training] frozen_components. What is frozen is not "
                    "initialized: then it has to come from a trained pipeline ([components."
                    f"{name}] source = ..., and {name!r} in [training] annotating_components). To "
                    "train the head alone, take it out of frozen_components and freeze the encoder "
                    'by [training.before_update] @callbacks = "spacy-finegrained-ner.freeze.v1".'
                )
            cause = f"{name!r} is disabled (nlp.enable_pipe({name!r}); [nlp] disabled). "
        elif heard:
            cause = f"{heard[0].name!r} comes after it. "
        elif same:
            return (
                f"The pipeline has {[one.name for one in same]}, and none of that name: set "
                f"upstream of the listener, in [components.{self.owner}.model.tok2vec], to one of "
                f'these or to "*"; or {own}'
            )
        elif there is not None:
            cause = f"The pipeline has no component of the factory {kind!r}. "
            if to_do == "initialized":
                cause += (
                    "(What spacy init config writes has none. A complete config is written, and "
                    "the component put into one of yours, by: python -m spacy_finegrained_ner "
                    "init-config) "
                )
        else:
            cause = ""
        return f"{cause}Have an enabled {kind} before '{self.owner}' in nlp.pipeline; or {own}"

    def _not_done(self, name: str, to_do: str, kind: str) -> str:
        if to_do == "initialized":
            return (
                f"{name!r} is there, but is not initialized: nlp.initialize does that, for both; "
                f"by hand, initialize {name!r} first."
            )
        return (
            f"{name!r} is before it, but has not run on this text. In training, what annotates "
            f"needs what it listens to: name {name!r}, too, in annotates of nlp.update, or in "
            f"[training] annotating_components. By hand, have {name!r} annotate the Doc first. In "
            f"a pipeline that '{self.owner}' was added to (source=...), have an enabled {kind} "
            "before it."
        )

    def _frozen(self) -> list[str]:
        nlp = self._nlp()
        return [] if nlp is None else list(nlp.config["training"]["frozen_components"])


def _nowhere() -> None:
    return None
