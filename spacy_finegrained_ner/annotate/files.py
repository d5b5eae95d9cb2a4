"""Files in, one file out: an engine between them, and a working folder for what is finished."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from spacy.util import get_package_path, is_package, load_config

from spacy_finegrained_ner.annotate.annotator import Annotator
from spacy_finegrained_ner.annotate.engines import BlockAnnotator, Engine
from spacy_finegrained_ner.annotate.forms import Form, check_names
from spacy_finegrained_ner.annotate.inputs import Inputs
from spacy_finegrained_ner.annotate.rows import BLOCK_SIZE
from spacy_finegrained_ner.annotate.work import Counts, Part, Work, digest_of
from spacy_finegrained_ner.errors import UserError


def annotate_files(
    annotator: Annotator,
    inputs: Inputs,
    form: Form,
    output: Path,
    engine: Engine,
    restart: bool = False,
    began: Callable[[Work], None] = lambda work: None,
    finished: Callable[[Part], None] = lambda part: None,
) -> Counts:
    """Annotate the rows of the inputs into the output. What an earlier call with the same settings
    has finished is not done again, however that was ended.

    began, finished: are told what is there at the start, and each part that comes to it.

    Raises a `UserError` for what a user can mend, such as other settings than those of an earlier
    call, inputs of which no row of the first block can be annotated, or a disk that is full. What
    is finished by then is kept.
    """
    check_names(inputs.files, output)
    with Work(output, _settings(annotator, inputs, form), restart) as work:
        began(work)
        for part in engine(BlockAnnotator(annotator, form), inputs, dict(work.finished)):
            if part.number == 0 and part.bad and not part.counts.texts:
                first = part.bad[0]
                raise UserError(
                    f"None of the first {part.counts.rows} rows can be annotated. "
                    f"{first['file']}, row {first['row']}: {first['reason']}"
                    + (f" ({first['found'][:100]!r})" if first["found"] else "")
                )
            work.keep(part)
            finished(part)
        return work.join(form)


def asks_a_server(model: str) -> str | None:
    """The name of the component of a pipeline that is a language model's, if it has one. Raises a
    `UserError` where there is no such pipeline."""
    components = load_config(_folder(model) / "config.cfg")["components"]
    asking = (name for name, x in components.items() if x.get("factory") == "finegrained_llm")
    return next(asking, None)


def windows(model: str) -> dict[str, Any] | None:
    """How the encoder of a pipeline reads long texts: the block `get_spans` of its config; None
    where it has none. Raises a `UserError` where there is no such pipeline."""
    for component in load_config(_folder(model) / "config.cfg")["components"].values():
        block = component.get("model")
        if not isinstance(block, dict):
            continue  # `model` of a language model is its name
        for part in (block, block.get("tok2vec") or {}):
            if "get_spans" in part:
                return dict(part["get_spans"])
    return None


def _settings(annotator: Annotator, inputs: Inputs, form: Form) -> dict[str, Any]:
    """What the output depends on, besides the rows, of each block of which there is a digest."""
    return {
        "input": inputs.files,
        "form of the input": inputs.forms,
        "form of the output": type(form).__name__,
        "text column": annotator.text_column,
        "entities column": annotator.entities_column,
        "blocks": [inputs.block_rows, BLOCK_SIZE],
        "pipeline": str(annotator.model),
        "contents of the pipeline": _digest(annotator),
        "spacy-finegrained-ner": version("spacy-finegrained-ner"),
    }


def _folder(model: str) -> Path:
    """With config.cfg. Raises a `UserError` where there is no such pipeline."""
    folder = get_package_path(model) if is_package(model) else Path(model)
    # In a package it lies a folder deeper, which has the version in its name
    for config in (folder / "config.cfg", *folder.glob("*/config.cfg")):
        if config.is_file():
            return config.parent
    raise UserError(
        f"{model}: there is no such pipeline. Expected an installed pipeline package or the "
        "folder of a trained pipeline."
    )


def _digest(annotator: Annotator) -> str:
    folder = _folder(str(annotator.model))
    files = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    for name, block in load_config(folder / "config.cfg").interpolate()["components"].items():
        model = block.get("model")  # that of a language model is its name
        knowledge = (model.get("knowledge") if isinstance(model, dict) else None) or {}
        path = knowledge.get("path")
        if path and not knowledge["inside"] and Path(path).is_file():
            files[f"names of {name}"] = Path(path)
    if annotator.code is not None:
        files["--code"] = Path(annotator.code)
    return digest_of(files)
