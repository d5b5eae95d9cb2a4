"""Our prompt, and our reading of answers, as a task of spacy-llm, which is not needed here.

spacy-llm asks one text after the other, and has no budget, no resuming and no schema of answers:
that is what `finegrained_llm` is for. The task is for those who use its models.
"""

from pathlib import Path
from typing import Any, Iterable  # noqa: UP035, spacy-llm looks for this one

import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import logger

from spacy_finegrained_ner.baselines.llm.answers import Reply, read_answer
from spacy_finegrained_ner.baselines.llm.examples import FixedExamples
from spacy_finegrained_ner.baselines.llm.failures import NoAnswer
from spacy_finegrained_ner.baselines.llm.mentions import align
from spacy_finegrained_ner.baselines.llm.prompt import (
    DEFAULT_TEMPLATE,
    make_prompt,
    read_template,
    shown,
)
from spacy_finegrained_ner.baselines.llm.setup import whole
from spacy_finegrained_ner.data.files import read_gold
from spacy_finegrained_ner.labels.readers import named_taxonomy
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.scoring.scorer import score_entities
from spacy_finegrained_ner.settings import CountOrZero, Whole, checked


class SpacyLlmTask:
    """Entities by a taxonomy, for the component `llm` of spacy-llm."""

    def __init__(self, taxonomy: Taxonomy, template: str, examples: FixedExamples) -> None:
        self.taxonomy, self.template, self.examples = taxonomy, template, examples

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(sorted(self.taxonomy.fine))

    @property
    def prompt_template(self) -> str:
        """Part of the key of its cache."""
        return self.template

    def generate_prompts(self, docs: Iterable[Doc]) -> Iterable[str]:
        for doc in docs:
            (found,) = self.examples.of([doc])
            yield make_prompt(self.template, self.taxonomy, found, shown(doc))

    def parse_responses(self, docs: Iterable[Doc], responses: Iterable[str]) -> Iterable[Doc]:
        for doc, response in zip(docs, responses, strict=True):
            found: Any = response  # a list of one, in spacy-llm 0.7
            content = found if isinstance(found, str) else "".join(found)
            try:
                mentions = read_answer(Reply(content=content)).mentions
            except NoAnswer as failure:  # its entities stay missing
                logger.warning("%s for the text %r", failure, doc.text[:60])
            else:
                entities = align(doc, mentions, self.taxonomy.spelled).entities
                doc.set_ents([Span(doc, *entity) for entity in entities], default="outside")
            yield doc

    def scorer(self, examples: Iterable[Example]) -> dict[str, Any]:
        return score_entities(examples, taxonomy=self.taxonomy)


@checked("spacy-finegrained-ner.NER.v1")
def build_spacy_llm_task_v1(
    taxonomy: str,
    template: str | None = None,
    examples: str | None = None,
    number: CountOrZero = 10,
    seed: Whole = 0,
) -> SpacyLlmTask:
    """Registered as `spacy-finegrained-ner.NER.v1` (llm_tasks, of spacy-llm).

    taxonomy: the name of a packaged one, or a file. template: a file; null for that of the package.
    examples: gold texts, in any form, of which `number` are shown, drawn by `seed`.

    Raises a `UserError` for files that can't be read.
    """
    tree = named_taxonomy(taxonomy)
    drawn = FixedExamples(number, seed)
    gold = [] if examples is None else read_gold(spacy.blank("xx"), Path(examples), tree)
    drawn.draw(whole(gold), tree)
    return SpacyLlmTask(tree, read_template(Path(template or DEFAULT_TEMPLATE)), drawn)
