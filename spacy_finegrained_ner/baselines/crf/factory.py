"""The factory `crf_ner` and its default config.

spaCy imports this module with every `Language()`: it must stay light.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spacy.language import Language

from spacy_finegrained_ner.labels.confidence import WRITTEN
from spacy_finegrained_ner.scoring.score_weights import SCORE_WEIGHTS

if TYPE_CHECKING:
    from spacy_finegrained_ner.baselines.crf.component import CrfNER


@Language.factory(
    "crf_ner",
    assigns=["doc.ents", "doc.spans", "token.ent_iob", "token.ent_type"],
    default_config={
        "features": {
            "affixes": 4,
            "shape": True,
            "flags": True,
            "pos": True,
            "window": 2,
            "bigrams": True,
            "ends": True,
        },
        "c1": 0.1,
        "c2": 0.1,
        "max_iterations": 100,
        "min_freq": 0,
        "all_possible_transitions": True,
        "report_every": 10,
        "annotate": "overwrite",
        "spans_key": "crf_ner",
        "extensions": {"coarse_label": "coarse_label"},
        "written": dict(WRITTEN),
        "scorer": {"@scorers": "spacy-finegrained-ner.scorer.v1"},
    },
    default_score_weights=SCORE_WEIGHTS,
)
def make_crf_ner(
    nlp: Language,
    name: str,
    features: dict[str, Any],
    c1: float,
    c2: float,
    max_iterations: int,
    min_freq: float,
    all_possible_transitions: bool,
    report_every: int,
    annotate: str,
    spans_key: str,
    extensions: dict[str, Any],
    written: dict[str, Any],
    scorer: Callable[..., dict[str, Any]] | None,
) -> "CrfNER":
    """Make the component.

    features: see `baselines.crf.features.FeatureSettings`.
    c1, c2, max_iterations, min_freq, all_possible_transitions, report_every: of the training, see
        `baselines.crf.crfsuite.TrainingSettings`.
    annotate: "overwrite" replaces `doc.ents`, "fill" adds to it where nothing is, "spans" writes
        `doc.spans[spans_key]` and leaves `doc.ents` alone.
    extensions: names of the extension attributes of Span, see `data.extensions`.
    written: `labels` to write, null for all, and a `mapping` of labels to other names; a coarse
        type stands for all of its fine labels.
    scorer: used by `nlp.evaluate`.
    """
    from spacy_finegrained_ner.baselines.crf.component import CrfNER

    return CrfNER(
        nlp.vocab,
        name,
        features=features,
        training={
            "c1": c1,
            "c2": c2,
            "max_iterations": max_iterations,
            "min_freq": min_freq,
            "all_possible_transitions": all_possible_transitions,
            "report_every": report_every,
        },
        annotate=annotate,
        spans_key=spans_key,
        extensions=extensions,
        written=written,
        scorer=scorer,
    )
