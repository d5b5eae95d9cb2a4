"""What a component learns of a batch, and the trial of the parts that a config gives it."""

from collections.abc import Iterable, Mapping
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from spacy_finegrained_ner.contracts import AnyCombination, TrainsTasks, factors_of, sees_losses
from spacy_finegrained_ner.data.gold import gold_of
from spacy_finegrained_ner.labels.bio import TagSet
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.ml.decoder import DECODINGS
from spacy_finegrained_ner.ml.tagger_layer import ScoreBatch
from spacy_finegrained_ner.ml.trial import try_out, try_tok2vec
from spacy_finegrained_ner.pipeline.auxiliary import AuxiliaryTask
from spacy_finegrained_ner.pipeline.listeners import ListenerCheck
from spacy_finegrained_ner.pipeline.losses import Goal, check_gold_of, not_finite, task_losses


class Learning(TrainsTasks):
    """Stands before spaCy's class in the bases of a component, which sets these attributes."""

    name: str
    cfg: dict[str, Any]
    model: Model[Any, Any]
    auxiliary: AuxiliaryTask | None
    auxiliary_weight: float
    combination: AnyCombination
    auxiliary_is_off: bool
    listener_check: ListenerCheck
    _taxonomy: Taxonomy
    _tag_set: TagSet
    _decoders: dict[TagSet, Any]

    @property
    def task_losses(self) -> dict[str, str]:
        """The names of the losses of the fine and the auxiliary task, if there is one."""
        if self.auxiliary is None or self.auxiliary_is_off:
            return {}
        return {task: f"{self.name}_{task}" for task in ("fine", "auxiliary")}

    def rehearse(self, examples: Iterable[Example], **_: Any) -> dict[str, float]:
        """Not there: a NotImplementedError, where spaCy would do nothing in silence."""
        raise NotImplementedError(
            f"'{self.name}' has no rehearse. To keep what it has learned, mix older examples into "
            f"nlp.update; to rehearse the others: nlp.rehearse(..., exclude=['{self.name}'])."
        )

    def get_loss(
        self, examples: Iterable[Example], scores: list[ScoreBatch]
    ) -> tuple[float, list[ScoreBatch]]:
        """The combined loss of a batch (per token of which something is known), and its gradient.

        scores: of `model.begin_update`, which has those of the auxiliary task.
        """
        parts, gradient, _ = self._losses(list(examples), scores[0], 0)
        return sum(weight * loss for weight, loss in parts.values()), [gradient]

    def _losses(
        self, examples: list[Example], scores: ScoreBatch, divisor: int
    ) -> tuple[dict[str, tuple[float, float]], ScoreBatch, int]:
        """Weight and loss of each task that takes part, the gradient of their sum, and what both
        were divided by: the number of tokens of which something is known, in any of the tasks.

        divisor: that of the step's first batch with such tokens, or 0. All tasks, and all parts of
        a step ([training] accumulate_gradient), are divided by one number: only so has the sum of
        their gradients the direction of the whole batch's.
        """
        built = self.model.get_ref("tagger").get_dim("nA")
        expected = len(self._auxiliary_tag_set or ())
        if built != expected:
            raise ValueError(
                f"'{self.name}' was initialized with {built} tags of an auxiliary task, but what "
                f"is set as auxiliary has {expected}. To go on training, set it as it was then "
                "(null for 0 tags); for another task call nlp.initialize."
            )
        goals = self._goals(examples)
        weights: Any = {"fine": 1.0}
        if len(goals) > 1:
            seen = sees_losses(self.combination)
            weights = self._weights if seen else self._weights(dict.fromkeys(goals, 1.0))
        try:
            return task_losses(scores, goals, weights, divisor)
        except FloatingPointError:
            raise ValueError(not_finite(self.name, examples)) from None

    def _weights(self, losses: dict[str, float]) -> dict[str, float]:
        seen = losses["fine"], losses["auxiliary"]
        factors = factors_of(self.combination, self.auxiliary_weight, seen)
        return dict(zip(losses, factors, strict=True))

    def _goals(self, examples: list[Example]) -> dict[str, Goal]:
        """By task, the fine one first."""
        fine, auxiliary = self._tag_set, self._auxiliary_tag_set
        gold = [gold_of(example, fine, self._taxonomy) for example in examples]
        goals = {"fine": Goal(self._decoder(fine), fine, gold)}
        if self.auxiliary is not None and auxiliary is not None:
            other = self.auxiliary.gold(examples, gold, fine, self._taxonomy)
            goals["auxiliary"] = Goal(self._decoder(auxiliary), auxiliary, other)
        return goals

    def _try_tok2vec(self, docs: list[Doc]) -> None:
        if not self.listener_check.listens(self.model):
            try_tok2vec(self.model.get_ref("tok2vec"), docs)

    def _try_out(self, examples: list[Example]) -> None:
        """What the parts from a config do on two made up texts, and on the first examples."""
        goals = self._goals(examples)
        for task, goal in goals.items():
            check_gold_of(task, goal, [len(example.predicted) for example in examples])
        try_out(
            self.model.get_ref("tagger"),
            [(goal.decoder, goal.tags) for goal in goals.values()],
        )

    @property
    def decoder(self) -> Any:
        """Of the fine tags, see `ml.decoder.Decoder`."""
        return self._decoder(self._tag_set)

    @property
    def temperatures(self) -> dict[str, float]:
        """What calibration has found (`pipeline.calibration`): "path" divides all scores of the
        CRF, "label" those of the labels of a span against one another; 1 where there is none. They
        are saved with the component, and are gone once it is trained further."""
        return dict(self.cfg.get("temperatures", {}))

    @temperatures.setter
    def temperatures(self, found: Mapping[str, float]) -> None:
        self.cfg["temperatures"] = dict(found)

    def _decoder(self, tags: TagSet) -> Any:
        """See `ml.decoder.Decoder`. Made once for a tag set, and kept."""
        decoder = self._decoders.get(tags)
        if decoder is None:
            decoding = self.model.attrs.get("decoding", DECODINGS["crf"])
            decoder = self._decoders[tags] = decoding.build(tags)
        return decoder

    @property
    def _auxiliary_tag_set(self) -> TagSet | None:
        if self.auxiliary is None or self.auxiliary_is_off:
            return None
        tags = self.auxiliary.tag_set(self._tag_set, self._taxonomy)
        if not isinstance(tags, TagSet):
            raise TypeError(
                f"The tag_set of auxiliary of '{self.name}' gives {tags!r}, expected a TagSet "
                "(spacy_finegrained_ner.extend)."
            )
        return tags
