"""From taxonomy, examples and text to a prompt; and the form of the answer that it asks for.

Pure functions of what they are given: the component, an export for fine-tuning and a task of
spacy-llm make the same prompts.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from spacy.tokens import Doc

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

TEMPLATES = {
    name: Path(__file__).with_name("templates") / f"{name}.jinja" for name in ("ner", "short")
}
"""Those of the package, by name. "short" names no types: for a model that has learned them."""
DEFAULT_TEMPLATE = TEMPLATES["ner"]


@dataclass(frozen=True)
class FewShot:
    """A text with its gold mentions (text and label), in their order."""

    text: str
    mentions: tuple[tuple[str, str], ...]

    @property
    def answer(self) -> str:
        return answer_of(self.mentions)


@dataclass(frozen=True)
class Type:
    """A fine type as a template sees it. definition: "" where there is none."""

    label: str
    coarse: str
    definition: str


def shown(doc: Doc) -> str:
    """The text of a Doc as prompts have it. One made of tokens ends with a space."""
    return doc.text.strip()


def few_shot(doc: Doc, taxonomy: Taxonomy) -> FewShot:
    """Of a gold Doc; without entities of other types than those of the taxonomy."""
    found = [(ent.text.strip(), taxonomy.spelled(ent.label_)) for ent in doc.ents]
    return FewShot(shown(doc), tuple((text, label) for text, label in found if text and label))


def answer_of(mentions: Iterable[tuple[str, str]]) -> str:
    """The JSON that is the right answer, on one line."""
    entities = [{"text": text, "label": label} for text, label in mentions]
    return json.dumps({"entities": entities}, ensure_ascii=False)


def schema_of(labels: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of the answer, as strict modes of servers take it: all is required, and
    nothing else is allowed."""
    mention = {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "label": {"type": "string", "enum": list(labels)},
        },
        "required": ["text", "label"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"entities": {"type": "array", "items": mention}},
        "required": ["entities"],
        "additionalProperties": False,
    }


def make_prompt(template: str, taxonomy: Taxonomy, examples: Sequence[FewShot], text: str) -> str:
    """The prompt for a text.

    template: Jinja, with `groups` (coarse type and list of `Type`, for each coarse type), `flat`
        (labels have no coarse types), `examples` (each with `text` and `answer`), `text`.

    Raises a `UserError` for a template that can't be rendered.
    """
    groups: dict[str, list[Type]] = {}
    for fine, coarse in taxonomy.coarse_of.items():
        groups.setdefault(coarse, []).append(Type(fine, coarse, taxonomy.definitions.get(fine, "")))
    values = {
        "groups": list(groups.items()),
        "flat": taxonomy.flat,
        "examples": list(examples),
        "text": text,
    }
    try:
        return compiled(template).render(values).strip()
    except UserError:
        raise
    except Exception as error:  # such as a TypeError: what it computes is its own
        told = str(error) if isinstance(error, TemplateError) else repr(error)
        raise UserError(
            f"The template of the prompt can't be rendered: {told:.300}. It is given groups, "
            "flat, examples and text."
        ) from None


def messages_of(prompt: str) -> list[dict[str, str]]:
    """The chat that asks for the answer: of a request, and of a text to fine-tune on."""
    return [{"role": "user", "content": prompt}]


@lru_cache(maxsize=16)
def compiled(template: str) -> Template:
    """In a sandbox: a template travels with a pipeline. Raises a `UserError` for one that is not
    Jinja."""
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    try:
        return environment.from_string(template)
    except TemplateError as error:
        raise UserError(f"The template of the prompt is not Jinja: {error}") from None


def read_template(name: str | Path) -> str:
    """A template of the package by its name, or a file. Raises a `UserError` for what is none, or
    does not show the text."""
    path = TEMPLATES.get(str(name), Path(name))
    try:
        template = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: can't be read as a template of the prompt: {error}") from None
    probe = "\u2060probe\u2060"
    try:
        shown = make_prompt(template, Taxonomy({"Fine": "Coarse"}), (), probe)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    if probe not in shown:
        raise UserError(f"{path}: the template does not show the text: write {{{{ text }}}}.")
    return template
