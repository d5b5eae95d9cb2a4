"""Worker processes that are forked from one in which torch and tokenizers have computed."""

import os
from functools import lru_cache

import torch

_PARALLELISM = "TOKENIZERS_PARALLELISM"
_set_here = False


@lru_cache(maxsize=1)
def one_thread_in_forks() -> None:
    """From now on torch has one thread in forked processes (nlp.pipe with n_process on Linux), and
    so has the tokenizers library.

    A fork has none of the threads that torch's OpenMP has started, and waits for them forever. So
    this is to be called where torch computes, and not on import: a process that is forked before
    keeps its threads. The tokenizers library takes one thread by itself, but says so in each
    process, unless the variable of its environment says it; and it waits, too, where that variable
    asks for more.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(
            before=_before, after_in_parent=_after_in_parent, after_in_child=_one_thread
        )


def _before() -> None:
    # The library looks at the child before Python does
    global _set_here
    if _PARALLELISM not in os.environ:
        os.environ[_PARALLELISM] = "false"
        _set_here = True


def _after_in_parent() -> None:
    global _set_here
    if _set_here:
        os.environ.pop(_PARALLELISM, None)
        _set_here = False


def _one_thread() -> None:
    os.environ[_PARALLELISM] = "false"
    torch.set_num_threads(1)
