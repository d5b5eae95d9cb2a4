"""The languages of spaCy, and their tokenizers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import get_lang_class

from spacy_finegrained_ner.errors import UserError


def language_of(code: str) -> type[Language]:
    """The class of a language. Raises a `UserError` for a code that spaCy has no language for, or
    that is another than its own (`eng`)."""
    try:
        found = get_lang_class(code)
    except (ImportError, AttributeError) as error:  # AttributeError: another module of spacy.lang
        raise UserError(
            f"{code!r} is no language of spaCy: {error}. Expected a code such as 'en', or 'xx' for "
            "any language."
        ) from None
    if found.lang != code:
        raise UserError(f"{code!r} is no language of spaCy: expected {found.lang!r}, its own code.")
    return found


def lazy_tokenizer(code: str) -> Callable[[str], Doc]:
    """The tokenizer of a language, made with the first text. It raises a `UserError` where the
    language needs a package that is not there."""

    @cache
    def tokenizer() -> Callable[[str], Doc]:
        try:
            return language_of(code)().make_doc
        except ImportError as error:
            raise UserError(f"Texts can't be tokenized: {error}") from None

    return lambda text: tokenizer()(text)
