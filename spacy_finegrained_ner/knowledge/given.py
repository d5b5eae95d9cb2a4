"""What callers may give for names, topics, types and words. A ValueError says what else it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spacy_finegrained_ner.knowledge.build import REASONS, form_keys, is_text, why_no_name
from spacy_finegrained_ner.knowledge.form import Form


def several(names: str | Iterable[str]) -> list[str]:
    if isinstance(names, bytes) or not isinstance(names, Iterable):
        raise ValueError(f"{names!r:.80} is no name: expected a text, or several.")
    return [names] if isinstance(names, str) else list(names)


def keys_of(name: str, form: Form, added: bool = True) -> list[str]:
    """added: it is to be found from now on, and so must be one that a file could have. Each token
    of a text is compared with as much as the longest name has."""
    keys = form_keys(form, name) if isinstance(name, str) else []
    if not keys:
        raise ValueError(f"{name!r:.80} is no name: expected a text with a letter or a digit.")
    if added and (reason := why_no_name(keys)):
        raise ValueError(f"{name!r:.80} can't be added. Left out are names that {REASONS[reason]}.")
    return keys


def check_topic(topic: str, types: Sequence[str] | None, source: str) -> None:
    """Of names that are added: what could be neither learned nor saved."""
    for what, value in (("topic", topic), ("source", source)):
        if not (is_text(value) and value.strip()):
            raise ValueError(f"The {what} is {value!r:.80}, expected a text.")
    if types is None:
        return
    if isinstance(types, str) or not all(is_text(one) and one.strip() for one in types):
        raise ValueError(
            f"The types of {topic!r} are {types!r:.80}, expected a list of texts, the likeliest "
            'first: ["Artist"]; [] for none.'
        )


def check_words(words: Sequence[str]) -> None:
    if isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{words!r:.80} are no words: expected such as ['my', 'kestrel', '4'].")
