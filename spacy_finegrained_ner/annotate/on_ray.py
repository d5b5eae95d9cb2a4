"""Blocks on a cluster: Ray Data reads them, and a pool of actors annotates them."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import ray
from ray.data import Datasource, ReadTask
from ray.data.block import BlockMetadata

from spacy_finegrained_ner.annotate.engines import BlockAnnotator, cores, share_cores
from spacy_finegrained_ner.annotate.inputs import STDIN, Inputs
from spacy_finegrained_ner.annotate.rows import left_to_do
from spacy_finegrained_ner.annotate.work import Part
from spacy_finegrained_ner.errors import UserError


class Blocks(Datasource):
    """What is left to do, a row of a table for each block: one task reads it, as fast as blocks are
    annotated. That is much faster than a pipeline, and blocks have the same numbers in each run."""

    def __init__(self, inputs: Inputs, finished: dict[int, str]) -> None:
        super().__init__()
        self.inputs = inputs
        self.finished = finished

    def get_name(self) -> str:
        return "Blocks"

    def estimate_inmemory_data_size(self) -> int | None:
        return self.inputs.size

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
        metadata = BlockMetadata(
            num_rows=None, size_bytes=self.inputs.size, input_files=None, exec_stats=None
        )
        return [ReadTask(_reader(self.inputs, self.finished), metadata)]


def _reader(inputs: Inputs, finished: dict[int, str]) -> Callable[[], Iterator[pa.Table]]:
    def read() -> Iterator[pa.Table]:
        for block in left_to_do(inputs.blocks(), finished):
            yield pa.table({"block": [pickle.dumps(block)]})

    return read


class Actor:
    """Of the pool. It has loaded the pipeline before it takes a block."""

    def __init__(self, worker: BlockAnnotator) -> None:
        self.worker = worker
        worker.annotator.submit([])

    def __call__(self, table: pa.Table) -> pa.Table:
        parts = [self.worker(pickle.loads(block)) for block in table["block"].to_pylist()]
        return pa.table({"part": pa.array([pickle.dumps(part) for part in parts], pa.binary())})


def on_ray(
    worker: BlockAnnotator, inputs: Inputs, finished: dict[int, str], *, workers: int
) -> Iterator[Part]:
    """In the cluster that this process is connected to (RAY_ADDRESS), or one of its own. Ray
    replaces an actor that dies and gives its block to another.

    Raises a `UserError` for standard input, which only this process can read.
    """
    if STDIN in inputs.files:
        raise UserError("--engine ray can't read standard input. Give it files that all nodes see.")
    share_cores(worker, workers)
    threads = worker.annotator.threads or 1
    gpu = worker.annotator.gpu_id >= 0
    if not ray.is_initialized():
        # One that it starts has room for the workers, whatever this machine has
        own: dict[str, Any] = (
            {} if "RAY_ADDRESS" in os.environ else {"num_cpus": max(cores(), workers * threads)}
        )
        ray.init(log_to_driver=False, logging_level=logging.WARNING, **own)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = 1  # or all that is small would be one task
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    # The task that reads takes hardly any of a core, and the workers may have them all
    blocks = ray.data.read_datasource(Blocks(inputs, finished), override_num_blocks=1, num_cpus=0)
    parts = blocks.map_batches(
        Actor,
        fn_constructor_args=(worker,),
        batch_size=1,
        batch_format="pyarrow",
        zero_copy_batch=True,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_gpus=1 if gpu else None,
        num_cpus=None if gpu else threads,
    )
    for batch in parts.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=0):
        for part in batch["part"].to_pylist():
            yield pickle.loads(part)
