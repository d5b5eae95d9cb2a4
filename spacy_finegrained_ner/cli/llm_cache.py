"""The verb `llm-cache`: what a language model has answered, and the end of it."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages


def llm_cache(
    folder: Annotated[Path, typer.Argument(help="Folder of a cache of finegrained_llm.")],
    delete: Annotated[bool, typer.Option("--delete", help="Delete all answers in it.")] = False,
) -> None:
    """Show how large the cache of a language model's answers is, or delete it."""
    from spacy_finegrained_ner.baselines.llm import cache
    from spacy_finegrained_ner.baselines.llm.failures import CannotGoOn

    try:
        answers, size = cache.size_of(folder)
    except CannotGoOn as error:  # one that is broken tells of the texts all the same
        if not delete:
            raise
        cache.delete(folder)
        messages.good(f"Deleted what could not be read: {error}")
        return
    told = f"{answers:,} answers, {size:,} bytes in {folder}"
    if delete:
        cache.delete(folder)
        messages.good(f"Deleted {told}")
    else:
        messages.info(f"{told}. With --delete they are deleted")
