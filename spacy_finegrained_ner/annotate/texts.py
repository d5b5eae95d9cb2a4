"""A pipeline over many texts at once: batches by length, in a memory zone, and none of the texts
lost where one of them fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.scoring.evaluation import component_of

Tokens = tuple[list[str], list[bool] | None]
"""Words, and whether a space follows each; None where that is not known."""
Text = str | Tokens
Take = Callable[[Doc, Any], Any]
"""From an annotated Doc and the component of this package to plain values."""

MOST_TEXTS = 512
MOST_CHARACTERS = 100_000
"""Of a batch of `nlp.pipe`: as many Docs, with their vectors, are there at a time."""


PROBE = "a text"
"""Of which a pipeline that works has something to say, if only that there is no entity."""


@dataclass(frozen=True)
class Failure:
    """In place of what a text would have given. reason: one line, for people."""

    reason: str


def length(text: Text) -> int:
    """In characters."""
    return len(text) if isinstance(text, str) else sum(map(len, text[0])) + len(text[0])


def by_length(texts: Sequence[Text]) -> Iterator[list[int]]:
    """The places of the texts in batches of about one length, the longest first, so that what does
    not fit into memory fails early."""
    batch: list[int] = []
    characters = 0
    for place in sorted(range(len(texts)), key=lambda i: -length(texts[i])):
        size = length(texts[place])
        if batch and (len(batch) == MOST_TEXTS or characters + size > MOST_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(place)
        characters += size
    if batch:
        yield batch


def annotate(nlp: Language, texts: Sequence[Text], takes: Sequence[Take]) -> list[Any]:
    """What the function of each text gives for its Doc, in their order; a Failure for those that
    the pipeline fails at. It is called in a memory zone, and can't keep the Doc.

    Raises a `UserError` for a pipeline without a trained component of this package, where a
    component says that it can't go on with any text (a budget that is spent, a key that is wrong),
    and where the pipeline fails at any text, as when a device or its memory is gone.
    """
    component = component_of(nlp)[1]
    found: list[Any] = [None] * len(texts)
    with nlp.memory_zone():
        for batch in by_length(texts):
            for place, doc in zip(batch, _docs(nlp, [texts[i] for i in batch]), strict=True):
                if isinstance(doc, Doc):
                    doc = _unanswered(doc, component) or takes[place](doc, component)
                found[place] = doc
    return found


def _unanswered(doc: Doc, component: Any) -> Failure | None:
    """Where a language model gave no answer, there are not no entities: they are not known."""
    key = getattr(component, "failure_key", None)
    kind = None if key is None else doc.user_data.get(key)
    return None if kind is None else Failure(f"no answer of the language model: {kind}")


def _docs(nlp: Language, texts: list[Text]) -> list[Doc | Failure]:
    """Annotated. Where a batch fails, its texts are tried one by one."""
    try:
        made = [_made(nlp, text) for text in texts]
        return list(nlp.pipe(made, batch_size=len(made)))
    except UserError:
        raise  # not the fault of a text: each of the others would be asked for in vain
    except Exception as error:
        if len(texts) > 1:
            return [_docs(nlp, [text])[0] for text in texts]
        lines = str(error).strip().splitlines() or [""]
        reason = f"{type(error).__name__}: {lines[0][:500]}"
        _check_alive(nlp, reason)
        return [Failure(reason)]


def _check_alive(nlp: Language, reason: str) -> None:
    """Where a text fails, it may not be the text's fault, and then each of those that follow would
    be set aside."""
    try:
        nlp(PROBE)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"The pipeline fails at any text, as at {PROBE!r} ({type(error).__name__}: "
            f"{str(error)[:200]}); at one of yours it failed with {reason}"
        ) from None


def _made(nlp: Language, text: Text) -> Doc:
    if isinstance(text, str):
        return nlp.make_doc(text)
    words, spaces = text
    return Doc(nlp.vocab, words=words, spaces=spaces)
