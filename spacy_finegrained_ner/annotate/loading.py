"""A pipeline by its name or folder, with what it runs on."""

from __future__ import annotations

from pathlib import Path

import spacy
from spacy.language import Language
from spacy.util import import_file

from spacy_finegrained_ner.errors import UserError


def import_code(code: str | Path | None) -> None:
    """Import a file with parts of a pipeline, under the name that spaCy's own commands give it."""
    if code is not None:
        import_file("python_code", code)


def load(model: str | Path, code: str | Path | None = None) -> Language:
    """Load a pipeline. Raises a `UserError` that says what to do."""
    import_code(code)
    try:
        return spacy.load(model)
    except ImportError as error:  # what the pipeline needs, such as the tokenizer of a language
        raise UserError(f"{model}: {error}") from None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{model}: {error}\n"
            "Expected an installed pipeline package or the folder of a trained pipeline."
        ) from None


def run_on(gpu_id: int, threads: int | None) -> None:
    """Of the thread that calls it, and of those that torch starts for it: the GPU, -1 for the CPU,
    and how many threads of the CPU torch has, None for as many as it likes.

    Raises a `UserError` where there is no such GPU.
    """
    import torch
    from thinc.api import require_cpu, require_gpu

    if threads is not None:
        torch.set_num_threads(threads)
    if gpu_id < 0:
        require_cpu()
        return
    try:
        require_gpu(gpu_id)
    except ValueError as error:
        raise UserError(f"GPU {gpu_id} can't be used: {error} For the CPU, it is -1.") from None
