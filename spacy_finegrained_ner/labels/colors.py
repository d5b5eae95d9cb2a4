"""Colors for displaCy: one for each coarse type. The fine types of one have the same: ten shades of
a hue can't be told apart, and their names stand beside them."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping

from spacy_finegrained_ner.labels.taxonomy import Taxonomy, read_taxonomy

_LOADED: dict[str, str] = {}
"""Colors of the types of pipelines that were loaded or initialized in this process."""


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(
        f"{round(255 * x):02x}" for x in colorsys.hls_to_rgb(hue, lightness, saturation)
    )


def taxonomy_colors(taxonomy: Taxonomy) -> dict[str, str]:
    """Background colors for dark text, as `#rrggbb`, of all fine and all coarse types.

    Hues lie evenly around the circle, from one just off pure red, which reads as an error; where
    there are more than eight, every other one is lighter.
    """
    colors: dict[str, str] = {}
    many = len(taxonomy.coarse) > 8
    for i, coarse in enumerate(taxonomy.coarse):
        hue = (0.03 + i / len(taxonomy.coarse)) % 1.0
        colors[coarse] = _hex(hue, 0.84 if many and i % 2 else 0.74, 0.75)
    return colors | {fine: colors[coarse] for fine, coarse in taxonomy.coarse_of.items()}


def use_colors(taxonomy: Taxonomy) -> None:
    """Let displaCy draw the types of this taxonomy in these colors, in this process."""
    _LOADED.update(taxonomy_colors(taxonomy))


def displacy_colors() -> Mapping[str, str]:
    """The colors of the fine types of MultiCoNER II, and of all types of the pipelines that were
    loaded in this process. displaCy asks for them by entry point, so that plain
    `displacy.render(doc, style="ent")` draws them. It knows labels by name only: where this package
    is installed, ORG has our color in other pipelines too. Coarse types of MultiCoNER II are left
    out until a pipeline with them is loaded, as PERSON and PRODUCT are names of spaCy's."""
    taxonomy = read_taxonomy()
    colors = taxonomy_colors(taxonomy)
    return {fine: colors[fine] for fine in taxonomy.fine} | _LOADED
