"""A GGUF file on a port, with what was learned beside it: to measure, on the cores that there are.

What llama.cpp's own tools do (llama-server, convert_lora_to_gguf.py), where there are only wheels.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import gguf
from safetensors.numpy import load_file

from study.plan.stages import StudyError

_PREFIX = "base_model.model."
_LAYERS = 1000


def write_adapter(folder: Path, model: Path, output: Path) -> None:
    """The adapter of a fine-tuning as a GGUF file, for the GGUF file of its model.

    folder: with adapter_config.json, as peft writes it. Raises a StudyError for a model whose
    weights llama.cpp keeps in another order than transformers, or that it can't name.
    """
    arch = str(gguf.GGUFReader(model).fields["general.architecture"].contents())
    if arch not in ("qwen2", "qwen3"):
        raise StudyError(f"{model}: its architecture is {arch!r}, expected qwen2 or qwen3.")
    config = json.loads((folder / "adapter_config.json").read_bytes())
    numbers = {name: number for number, name in gguf.MODEL_ARCH_NAMES.items()}
    names = gguf.get_tensor_name_map(numbers[arch], _LAYERS)
    writer = gguf.GGUFWriter(output, arch)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(config["lora_alpha"]))
    for key, weight in load_file(folder / "adapter_model.safetensors").items():
        layer, side = key.removeprefix(_PREFIX).removesuffix(".weight").rsplit(".", 1)
        name = names.get_name(layer)
        if name is None:
            raise StudyError(f"{folder}: llama.cpp has no name for {layer!r}.")
        writer.add_tensor(f"{name}.weight.{side.lower()}", weight)  # lora_a, lora_b
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def serve(model: Path, adapter: Path | None, port: int, threads: int) -> None:
    """Until it is interrupted, one request at a time. adapter: GGUF."""
    import xllamacpp

    settings = xllamacpp.CommonParams()
    settings.model.path = str(model)
    settings.n_ctx = 4096
    settings.n_parallel = 1
    settings.port = port
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    if adapter is not None:
        settings.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    server = xllamacpp.Server(settings)
    print(f"{server.listening_address}/v1", flush=True)
    while True:
        time.sleep(3600.0)
