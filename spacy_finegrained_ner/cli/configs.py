"""The shipped configs, and a complete one of them for somebody's own training."""

from __future__ import annotations

import json
import re
from pathlib import Path

from spacy.util import load_model_from_config
from thinc.api import Config, ConfigValidationError

from spacy_finegrained_ner.data.language import language_of
from spacy_finegrained_ner.errors import UserError

HEAD = "components.finegrained_ner.model"
FROZEN = "benchmark"
"""Not to train with: its figures are compared over time."""


def shipped() -> dict[str, Path]:
    """The configs to begin with, by name."""
    package = Path(__file__).parents[1]
    # A wheel has them within the package, a checkout beside it
    inside = package / "configs"
    folder = inside if inside.is_dir() else package.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.cfg")) if path.stem != FROZEN}


def complete(
    base: str, lang: str, encoder: str | None, taxonomy: str | None, width: int | None
) -> str:
    """The text of a complete config.

    base: the name of a shipped config, whose comments are kept. encoder: a folder, or a name on the
    hub; None for that of the base. taxonomy: the name of a packaged one or a file; None for flat
    labels. width: of a BiLSTM in the head, both directions together; 0 for none, None for that of
    the base.

    Raises a `UserError` for what no pipeline can be made of.
    """
    files = shipped()
    if base not in files:
        raise UserError(f"There is no config {base!r} to begin with, expected {[*files]}.")
    language_of(lang)  # may fail
    text = _set(files[base].read_text(encoding="utf-8"), "nlp", "lang", lang)
    text = _set(text, "paths", "taxonomy", taxonomy)
    if encoder is not None:
        if "\nencoder = " not in text:
            raise UserError(f"The config {base!r} has no encoder of transformers.")
        text = _set(text, "paths", "encoder", encoder)
    if width is not None:
        if f"[{HEAD}]" not in text:
            raise UserError(f"The config {base!r} has no head with a width.")
        text = _with_width(text, width)
    try:
        load_model_from_config(Config().from_str(text, interpolate=False), auto_fill=True)
    except (ValueError, ImportError, ConfigValidationError) as error:
        raise UserError(f"{error}") from None
    return text


def bilstm(width: int) -> dict[str, object]:
    """The block of a sequence layer. width: of both directions together."""
    if width < 2 or width % 2:
        raise UserError(
            f"The head can't have a BiLSTM of width {width}: expected an even number, half of it "
            "for each direction; or 0 for none."
        )
    name = "spacy-finegrained-ner.BiLSTM.v1"
    return {"@layers": name, "width": width, "layers": 1, "dropout": 0.0}


def _set(text: str, section: str, key: str, value: object) -> str:
    """The text of a config with another value; comments stay."""
    found = rf"(^\[{re.escape(section)}\]\n(?:(?!\[).*\n)*?{key} = ).*$"
    new = json.dumps(value, ensure_ascii=False)
    text, count = re.subn(found, lambda m: m[1] + new, text, flags=re.MULTILINE)
    assert count == 1, (section, key)
    return text


def _with_width(text: str, width: int) -> str:
    """With a BiLSTM of this width in the head, or none for 0."""
    comments = r"(?:^#.*\n)*"
    block = rf"{comments}^\[{re.escape(HEAD)}\.sequence\]\n(?:^.+\n)*\n"
    text = re.sub(rf"{block}|{comments}^sequence = null\n", "", text, flags=re.MULTILINE)
    if width == 0:
        return text.replace(f"[{HEAD}]\n", f"[{HEAD}]\nsequence = null\n")
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in bilstm(width).items())
    place = f"[{HEAD}.blending]\n"
    return text.replace(place, f"[{HEAD}.sequence]\n{lines}\n{place}")
