"""The component `finegrained_llm`: entities by a language model behind a chat endpoint."""

import json
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Example, validate_get_examples
from spacy.vocab import Vocab
from tqdm import tqdm

from spacy_finegrained_ner.baselines.llm.engine import Body, Engine
from spacy_finegrained_ner.baselines.llm.examples import Examples
from spacy_finegrained_ner.baselines.llm.prompt import (
    DEFAULT_TEMPLATE,
    TEMPLATES,
    make_prompt,
    read_template,
    schema_of,
    shown,
)
from spacy_finegrained_ner.baselines.llm.report import Report
from spacy_finegrained_ner.baselines.llm.settings import (
    Budget,
    Endpoint,
    Limits,
    Prices,
    RequestSettings,
)
from spacy_finegrained_ner.baselines.llm.setup import find_types, gold_docs, whole
from spacy_finegrained_ner.baselines.llm.stream import Unanswered, predictions
from spacy_finegrained_ner.data.annotation import Annotation
from spacy_finegrained_ner.labels.confidence import NAMES, WITHOUT_CONFIDENCE
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.readers import TaxonomySetting
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.pipeline.annotating import Annotating
from spacy_finegrained_ner.scoring.scorer import score_entities
from spacy_finegrained_ner.settings import settings_of


class LlmNER(Annotating, Pipe):
    """Fine-grained named-entity recognition by a language model, one request for each text.

    After `nlp(text)`, `doc.ents` holds entities with fine labels, and `ent._.coarse_label` is the
    coarse label of each, as with `finegrained_ner`. Where there was no answer that could be used,
    the entities of the Doc are missing (`doc.has_annotation("ENT_IOB")` is False), and
    `doc.user_data[failure_key]` says why.

    `report` counts requests, tokens, cost, seconds, and what went wrong. The arguments are those
    of the factory.

    Raises a ValueError for a wrong setting; from `initialize` on a `UserError` for what is read;
    in prediction `failures.CannotGoOn`, where no text would be answered, and
    `failures.BudgetReached`: when all requests that were under way are in the cache.
    """

    def __init__(
        self,
        vocab: Vocab,
        name: str = "finegrained_llm",
        *,
        url: str,
        model: str,
        api_key_env: str | None,
        examples: Examples,
        request: Mapping[str, Any],
        limits: Mapping[str, Any],
        budget: Mapping[str, Any],
        prices: Mapping[str, Any],
        cache: str | Path | None,
        progress: bool,
        annotate: str = "overwrite",
        spans_key: str = "finegrained_llm",
        extensions: Mapping[str, str | None] = NAMES,
        scorer: Callable[..., dict[str, Any]] | None = score_entities,
    ) -> None:
        self.vocab = vocab
        self.name = name
        self.scorer = scorer
        if not isinstance(model, str) or not model:
            raise ValueError(
                f"model of [components.{name}] is {model!r}, expected the name of a model at {url}"
            )
        if not isinstance(examples, Examples):
            raise ValueError(
                f"examples of [components.{name}] is {examples!r}, expected a block such as "
                '@misc = "spacy-finegrained-ner.FixedExamples.v1", with number = 0 for none.'
            )
        self.model_name = model
        self.examples = examples
        self.progress = progress
        block = f"[components.{name}"
        self.request = settings_of(RequestSettings, request, f"{block}.request]")
        bounds: Budget = settings_of(Budget, budget, f"{block}.budget]")
        known: Prices = settings_of(Prices, prices, f"{block}.prices]")
        if bounds.cost is not None and not known.known:
            raise ValueError(
                f"cost of {block}.budget] is {bounds.cost}, but {block}.prices] does not have both "
                "prices, expected those of a million tokens of prompt and of answer."
            )
        self._engine = Engine(
            Endpoint(url, api_key_env, name),
            settings_of(Limits, limits, f"{block}.limits]"),
            bounds,
            known,
            None if cache is None else Path(cache),
            name,
        )
        # Saved as JSON
        self.cfg: dict[str, Any] = {"labels": [], "taxonomy": {}, "definitions": {}}
        self._template = ""
        self._annotation = Annotation(
            annotate, spans_key, name, {**extensions, **WITHOUT_CONFIDENCE}
        )

    @property
    def report(self) -> Report:
        """What was asked since the component was made or loaded, see `report.Report`."""
        return self._engine.report

    def costs(self) -> Mapping[str, Any]:
        """See `contracts.ReportsCost`."""
        return {"cost": self.report.cost, "cached": self.report.cached + self.report.empty}

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        labels: list[str] | None = None,
        taxonomy: TaxonomySetting | None = None,
        template: str | Path | None = None,
        examples: str | Path | None = None,
    ) -> None:
        """Set the types, the template, and draw the examples. Nothing is asked.

        get_examples: gives gold texts, where there are any.
        labels: the types to ask for; None for all of the taxonomy, or else those of the examples.
        taxonomy: in a config the block `[initialize.components.finegrained_llm.taxonomy]`, as for
            `finegrained_ner`; its definitions are shown to the model.
        template: of the prompt: a file, see `prompt.make_prompt`, or the name of one of the package
            ("ner", or "short" for a model that was fine-tuned). None for "ner", or the one that the
            component was saved with. Its text is saved.
        examples: gold texts to choose examples from (in any form), in place of get_examples.

        Raises a TaxonomyError that names a label which the taxonomy does not cover, and a
        `UserError` for files that can't be read, or where there are no types.
        """
        validate_get_examples(get_examples, f"{type(self).__name__}.initialize")
        gold = gold_docs(get_examples, examples, nlp)
        tree = find_types(gold, labels, taxonomy, self.cfg, self.name)
        text = self._find_template(template)
        self.examples.draw(whole(gold), tree)
        self._template = text
        self._set_labels(sorted(tree.fine), tree, nlp)
        self._warn_of_same_scores(nlp)
        self.cfg["definitions"] = dict(tree.definitions)

    def predict(self, docs: Iterable[Doc]) -> list[Prediction]:
        """The prediction of each Doc, an `Unanswered` where there is none. The Docs are not
        changed."""
        return [prediction for _, prediction in self._predictions(docs, 128)]

    def __call__(self, doc: Doc) -> Doc:
        """Write the entities of a Doc into it. RETURNS: the Doc."""
        self.set_annotations([doc], self.predict([doc]))
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """The same of many, in their order, with requests of `batch_size` texts or more waiting."""
        handle = self.get_error_handler()
        bar = tqdm(unit=" texts", desc=self.name, disable=None if self.progress else True)
        try:
            with bar, closing(self._predictions(stream, batch_size)) as predictions:
                for doc, prediction in predictions:
                    try:
                        self.set_annotations([doc], [prediction])
                    except Exception as error:
                        handle(self.name, self, [doc], error)
                        continue
                    bar.set_postfix(failed=self.report.failed.total(), refresh=False)
                    bar.update()
                    yield doc
        finally:
            if self.progress:
                print(f"{self.name}: {self.report}", file=sys.stderr)

    def set_annotations(self, docs: Iterable[Doc], predictions: Iterable[Prediction]) -> None:
        """Write the entities, where `annotate` says; where there was no answer, say so."""
        for doc, prediction in zip(docs, predictions, strict=True):
            doc.user_data.pop(self.failure_key, None)
            if not isinstance(prediction, Unanswered):
                super().set_annotations([doc], [prediction])
                continue
            doc.user_data[self.failure_key] = prediction.kind
            if self.annotate == "overwrite":
                doc.set_ents([], default="missing")
            elif self.annotate == "spans" and self.spans_key in doc.spans:
                del doc.spans[self.spans_key]

    @property
    def failure_key(self) -> str:
        """Of `doc.user_data`: why a text has no entities."""
        return f"{self.name}_failure"

    def bodies(self, docs: Sequence[Doc]) -> list[Body]:
        """The requests for some texts, without URL and key."""
        self._require_initialized()
        types = self.cfg["taxonomy"]
        asked = Taxonomy(types, self._taxonomy.source, self.cfg["definitions"])
        schema = schema_of(asked.fine)
        prompts = (
            make_prompt(self._template, asked, found, shown(doc))
            for doc, found in zip(docs, self.examples.of(docs), strict=True)
        )
        return [self.request.body(self.model_name, prompt, schema) for prompt in prompts]

    def _predictions(
        self, stream: Iterable[Doc], size: int
    ) -> Generator[tuple[Doc, Prediction], None, None]:
        self._require_initialized()
        return predictions(self._engine, self.bodies, self._taxonomy, stream, size)

    def _find_template(self, path: str | Path | None) -> str:
        if path is None:
            return self._template or read_template(DEFAULT_TEMPLATE)
        if self._template and str(path) not in TEMPLATES and not Path(path).exists():
            util.logger.warning(
                "'%s': the template %s is not there: it takes the one that it was saved with",
                *(self.name, path),
            )
            return self._template
        return read_template(path)

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """What it asks with, without its settings (they are in the config). No key is in it."""
        return util.to_bytes(self._parts(), exclude)

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "LlmNER":
        """The way back. RETURNS: the component itself."""
        util.from_bytes(data, self._readers(), exclude)
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Into a folder: `cfg`, `template` (of the prompt), `examples`."""
        Path(path).mkdir(parents=True, exist_ok=True)
        for name, get in self._parts().items():
            if name not in exclude:
                (Path(path) / name).write_bytes(get())

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "LlmNER":
        """The way back. RETURNS: the component itself."""
        for name, put in self._readers().items():
            if name not in exclude:
                put((Path(path) / name).read_bytes())
        return self

    def _parts(self) -> dict[str, Callable[[], bytes]]:
        return {
            "cfg": lambda: json.dumps(self.cfg, ensure_ascii=False, indent=0).encode(),
            "template": lambda: self._template.encode(),
            "examples": self.examples.to_bytes,
        }

    def _readers(self) -> dict[str, Callable[[bytes], Any]]:
        def read_cfg(data: bytes) -> None:
            with self._loading():
                self.cfg = json.loads(data)

        def read_text(data: bytes) -> None:
            self._template = data.decode()

        return {"cfg": read_cfg, "template": read_text, "examples": self.examples.from_bytes}

    @property
    def _is_trained(self) -> bool:
        return bool(self.cfg["labels"])
