"""The scores of a training: which are shown, and whether those that choose the model are there."""

from typing import Any

from spacy.language import Language

from spacy_finegrained_ner.contracts import ReportsEntities


def shown_scores(nlp: Language) -> list[str]:
    """Those of [training.score_weights] (but for those that are null, as in spaCy's loggers); and
    F1 of components that write a span group, where none of theirs is there: a factory has default
    weights for one place only, `doc.ents`."""
    weights = nlp.config["training"]["score_weights"]
    shown = [name for name, weight in weights.items() if weight is not None]
    for prefix in _span_groups(nlp):
        if not any(name.startswith(f"{prefix}_") for name in weights):
            shown += [f"{prefix}_macro_f", f"{prefix}_f"]
    return shown


def without_a_weight(nlp: Language, scores: dict[str, Any]) -> list[str]:
    """What to say of an evaluation that has none of the scores by which the model is chosen: its
    score is 0, and so are all others. Nothing is said of scores that are not there since the data
    has no entity."""
    weights = nlp.config["training"]["score_weights"]
    weighted = [name for name, weight in weights.items() if weight]
    groups = [prefix for prefix in _span_groups(nlp) if f"{prefix}_macro_f" in scores]
    if not groups or any(name in scores for name in weighted):
        return []
    setting = "; ".join(f"{prefix}_macro_f = {1 / len(groups):.2g}" for prefix in groups)
    return [
        f"[training.score_weights] has weights for {weighted or 'nothing'}, and no component "
        "reports such a score: the score of every evaluation is 0, and model-best is the last one. "
        f"The component writes a span group, whose scores have names of their own. Set {setting} "
        "in [training.score_weights]."
    ]


def _span_groups(nlp: Language) -> list[str]:
    # Any: mypy knows no attributes of a component
    pipes: list[Any] = [pipe for _, pipe in nlp.pipeline if isinstance(pipe, ReportsEntities)]
    return [prefix for prefix in dict.fromkeys(p.score_prefix for p in pipes) if prefix != "ents"]
