"""How much each score counts in `spacy train`. The factories import this: it must stay light."""

SCORE_WEIGHTS: dict[str, float | None] = {
    "ents_macro_f": 1.0,
    "ents_f": 0.0,
    "ents_p": 0.0,
    "ents_r": 0.0,
    "ents_coarse_f": 0.0,
    "ents_mention_f": 0.0,
    # None: no part of the score, but kept in meta.json
    "ents_per_type": None,
    "ents_coarse_per_type": None,
}
"""Macro F1 selects the model."""
