"""The factory `finegrained_ner` and its default config.

spaCy imports this module with every `Language()`: it must stay light.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spacy.language import Language
from thinc.api import Config, Model

from spacy_finegrained_ner.labels.confidence import BACK_OFF, CANDIDATES, NAMES, WRITTEN
from spacy_finegrained_ner.scoring.score_weights import SCORE_WEIGHTS

if TYPE_CHECKING:
    from spacy_finegrained_ner.pipeline.finegrained_ner import FineGrainedNER

DEFAULT_MODEL = """
[model]
@architectures = "spacy-finegrained-ner.Tagger.v1"
dropout = 0.2
decoder = "crf"
sequence = null

[model.blending]
@layers = "spacy-finegrained-ner.blend_concatenate.v1"
window = 1
place = "sequence"

[model.tok2vec]
@architectures = "spacy-finegrained-ner.TransformerListener.v1"
grad_factor = 1.0
upstream = "*"

[model.tok2vec.pooling]
@layers = "reduce_mean.v1"
"""


@Language.factory(
    "finegrained_ner",
    assigns=["doc.ents", "doc.spans", "token.ent_iob", "token.ent_type"],
    default_config={
        "model": Config().from_str(DEFAULT_MODEL)["model"],
        "auxiliary": {"@misc": "spacy-finegrained-ner.CoarseTask.v1"},
        "auxiliary_weight": 0.1,
        "loss": {"@losses": "spacy-finegrained-ner.additive.v1", "scale": 1.0},
        "annotate": "overwrite",
        "spans_key": "finegrained_ner",
        "extensions": dict(NAMES),
        "written": dict(WRITTEN),
        "confidence": True,
        "alternatives": 3,
        "candidates": dict(CANDIDATES),
        "back_off": dict(BACK_OFF),
        "scorer": {"@scorers": "spacy-finegrained-ner.scorer.v1"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_finegrained_ner(
    nlp: Language,
    name: str,
    model: Model,
    auxiliary: Any,
    auxiliary_weight: float,
    loss: Callable[[float], tuple[float, float]],
    annotate: str,
    spans_key: str,
    extensions: dict[str, Any],
    written: dict[str, Any],
    confidence: bool,
    alternatives: int,
    candidates: dict[str, Any],
    back_off: dict[str, Any],
    scorer: Callable[..., dict[str, Any]] | None,
) -> "FineGrainedNER":
    """Make the component.

    model: from Docs to scores, such as `spacy-finegrained-ner.Tagger.v1`.
    auxiliary: an auxiliary task such as `spacy-finegrained-ner.CoarseTask.v1`, or null.
    auxiliary_weight: its weight w, from 0 to 1. In `spacy train` the callback
        `spacy-finegrained-ner.auxiliary_weight.v1` sets another one before each step.
    loss: how w combines the two losses, such as `spacy-finegrained-ner.additive.v1`.
    annotate: "overwrite" replaces `doc.ents`, "fill" adds to it where nothing is, "spans" writes
        `doc.spans[spans_key]` and leaves `doc.ents` alone.
    extensions: names of the extension attributes of Span, see `data.extensions`.
    written: `labels` to write, null for all, and a `mapping` of labels to other names; a coarse
        type stands for all of its fine labels.
    confidence: whether entities get their probabilities (`ent._.confidence` and the like).
    alternatives: of how many labels of each entity, at most (`ent._.alternatives`).
    candidates: all other spans whose probability is at least `at_least` are written into
        `doc.spans[spans_key]`; null for none.
    back_off: the entities are also written into `doc.spans[spans_key]`, under the fine label if
        its probability is at least `fine`, or else under the coarse one if that is at least
        `coarse`; null for none.
    scorer: used by `nlp.evaluate`.
    """
    from spacy_finegrained_ner.ml.blocks import check_pickles
    from spacy_finegrained_ner.pipeline.finegrained_ner import FineGrainedNER

    for setting, block in (("auxiliary", auxiliary), ("loss", loss), ("scorer", scorer)):
        check_pickles(f"{setting} of '{name}'", block)
    component = FineGrainedNER(
        nlp.vocab,
        model,
        name,
        auxiliary=auxiliary,
        auxiliary_weight=auxiliary_weight,
        loss=loss,
        annotate=annotate,
        spans_key=spans_key,
        extensions=extensions,
        written=written,
        confidence=confidence,
        alternatives=alternatives,
        candidates=candidates,
        back_off=back_off,
        scorer=scorer,
    )
    component.listener_check.place.set(nlp)
    return component
