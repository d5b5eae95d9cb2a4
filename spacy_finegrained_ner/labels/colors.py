"""Colors for displaCy: one hue for each coarse type, a shade of it for each fine type."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping

from spacy_finegrained_ner.labels.taxonomy import Taxonomy, read_taxonomy


def _hex(hue: float, lightness: float, saturation: float) -> str:
    return "#" + "".join(
        f"{round(255 * x):02x}" for x in colorsys.hls_to_rgb(hue, lightness, saturation)
    )


def taxonomy_colors(taxonomy: Taxonomy) -> dict[str, str]:
    """Background colors for dark text, as `#rrggbb`, of all fine and all coarse types.

    Hues lie evenly around the circle; the fine types of a coarse type differ in lightness only.
    """
    colors: dict[str, str] = {}
    for i, coarse in enumerate(taxonomy.coarse):
        # Starts off pure red, which reads as an error.
        hue = (0.03 + i / len(taxonomy.coarse)) % 1.0
        colors[coarse] = _hex(hue, 0.76, 0.75)
        fine = [name for name in taxonomy.fine if taxonomy.coarse_of[name] == coarse]
        for j, name in enumerate(fine):
            colors[name] = _hex(hue, 0.70 + 0.16 * j / max(1, len(fine) - 1), 0.75)
    return colors


def multiconer2_colors() -> Mapping[str, str]:
    """The colors of the fine types of MultiCoNER II. displaCy asks for them by entry point, so
    that plain `displacy.render(doc, style="ent")` draws them. It knows labels by name only: where
    this package is installed, ORG has our color in other pipelines too. Coarse types are left
    out, as PERSON and PRODUCT are names of spaCy's."""
    taxonomy = read_taxonomy()
    colors = taxonomy_colors(taxonomy)
    return {fine: colors[fine] for fine in taxonomy.fine}
