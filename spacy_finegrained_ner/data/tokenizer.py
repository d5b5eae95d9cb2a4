"""The tokenizer that spaCy has for the language of a pipeline."""

from collections.abc import Callable

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry


def make_tokenizer(nlp: Language) -> Callable[[str], Doc]:
    """As a blank pipeline of the language has it."""
    block = {"tokenizer": nlp.default_config["nlp"]["tokenizer"]}
    return registry.resolve(block, validate=False)["tokenizer"](nlp)


def build_language_tokenizer_v1() -> Callable[[Language], Callable[[str], Doc]]:
    """Registered as `spacy-finegrained-ner.LanguageTokenizer.v1` (tokenizers): for
    `[nlp.tokenizer]` of a config of any language. `spacy.Tokenizer.v1` splits at spaces first in
    all of them, also in those that have none.

    When a pipeline is made, an ImportError names the package that the language's tokenizer needs.
    """
    return make_tokenizer
