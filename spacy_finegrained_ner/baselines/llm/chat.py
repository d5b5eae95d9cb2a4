"""Gold texts as chats: what a language model is fine-tuned on, here or by who hosts it.

A chat is the request of `finegrained_llm` for a text, and the right answer to it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, ValidationError, model_validator
from spacy.tokens import Doc

from spacy_finegrained_ner.baselines.llm.answers import Reply, read_answer
from spacy_finegrained_ner.baselines.llm.examples import Examples
from spacy_finegrained_ner.baselines.llm.mentions import align
from spacy_finegrained_ner.baselines.llm.prompt import few_shot, make_prompt, messages_of, shown
from spacy_finegrained_ner.baselines.llm.setup import whole
from spacy_finegrained_ner.data.entities import entities_of
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

UNKNOWN = "not annotated throughout"
EMPTY = "without a letter"
UNTOLD = "gold that a list of mentions can't tell"
"""Why a text is left out. The last is of one that has an entity at one of the places where its
words stand and none at another, for instance: the answer would be read as something else."""


class Turn(BaseModel):
    """One message. role: "system", "user" or "assistant"."""

    role: str
    content: str


class Chat(BaseModel):
    """A line of the file: the last message is the answer."""

    messages: list[Turn] = Field(min_length=2)

    @model_validator(mode="after")
    def _ends_with_an_answer(self) -> Self:
        if self.messages[-1].role != "assistant" or not self.messages[-1].content:
            raise ValueError("the last message is not an answer of the assistant")
        return self


@dataclass
class Exported:
    """left_out: texts without a chat, by reason."""

    chats: list[Chat] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def chats_of(
    gold: Sequence[Doc], taxonomy: Taxonomy, template: str, examples: Examples
) -> Exported:
    """The chats of gold texts, in their order.

    taxonomy, template, examples: what the component asks with, see `prompt.make_prompt`. The
        examples are drawn already.

    Raises a TaxonomyError that names a label which the taxonomy does not cover.
    """
    known = whole(gold)
    result = Exported(left_out=Counter({UNKNOWN: len(gold) - len(known)}))
    for doc, before in zip(known, examples.of(known), strict=True):
        answer = few_shot(doc, taxonomy).answer
        if not shown(doc):
            result.left_out[EMPTY] += 1
        elif _read(doc, answer, taxonomy) != _gold(doc, taxonomy):
            result.left_out[UNTOLD] += 1
        else:
            asked = messages_of(make_prompt(template, taxonomy, before, shown(doc)))
            told = {"role": "assistant", "content": answer}
            result.chats.append(Chat.model_validate({"messages": [*asked, told]}))
    result.left_out = +result.left_out
    return result


def _read(doc: Doc, answer: str, taxonomy: Taxonomy) -> list[tuple[int, int, str]]:
    """The entities that the component makes of the answer."""
    return align(doc, read_answer(Reply(content=answer)).mentions, taxonomy.spelled).entities


def _gold(doc: Doc, taxonomy: Taxonomy) -> list[tuple[int, int, str]]:
    return sorted(entities_of(doc.ents, lambda span: taxonomy.fine_label(span.label_)))


def write_chats(chats: Iterable[Chat], path: Path) -> None:
    """A chat on each line, as JSON."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for chat in chats:
            file.write(f"{chat.model_dump_json()}\n")


def read_chats(path: Path) -> list[Chat]:
    """The way back; other keys are not read. Raises a `UserError` that names file and line."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8: {error}") from None
    chats = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            chats.append(Chat.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise UserError(
                f"{path}, line {number}: {f'{where}: ' if where else ''}{first['msg']}. Expected "
                'a chat such as {"messages": [{"role": "user", "content": "..."}, '
                '{"role": "assistant", "content": "..."}]}, as export-chat writes it.'
            ) from None
    if not chats:
        raise UserError(f"{path}: the file holds no chats.")
    return chats
