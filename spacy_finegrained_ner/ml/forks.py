"""Worker processes that are forked from one in which torch has computed."""

import os
from functools import lru_cache

import torch


@lru_cache(maxsize=1)
def one_thread_in_forks() -> None:
    """From now on torch has one thread in forked processes (nlp.pipe with n_process on Linux).

    A fork has none of the threads that torch's OpenMP has started, and waits for them forever. So
    this is to be called where torch computes, and not on import: a process that is forked before
    keeps its threads.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
        os.register_at_fork(after_in_child=_one_thread)


def _one_thread() -> None:
    torch.set_num_threads(1)
