import colorsys
import re
from itertools import combinations

import pytest
from spacy import displacy

from spacy_finegrained_ner.labels.colors import multiconer2_colors, taxonomy_colors
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, read_taxonomy


def rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def contrast_with_black(color: str) -> float:
    """WCAG 2.1: relative luminance, against that of black."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(color)]
    return (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05) / 0.05


def hue(color: str) -> float:
    return colorsys.rgb_to_hls(*rgb(color))[0]


def apart(a: float, b: float) -> float:
    """On the circle of hues."""
    return min(abs(a - b), 1 - abs(a - b))


def test_every_type_has_its_own_color_and_black_text_is_readable_on_it():
    taxonomy = read_taxonomy()
    colors = taxonomy_colors(taxonomy)
    assert set(colors) == {*taxonomy.fine, *taxonomy.coarse}
    assert len(set(colors.values())) == 33 + 6
    for name, color in colors.items():
        assert re.fullmatch("#[0-9a-f]{6}", color), name
        assert contrast_with_black(color) > 4.5, name  # WCAG level AA


def test_one_hue_for_each_coarse_type():
    taxonomy = read_taxonomy()
    colors = taxonomy_colors(taxonomy)
    for a, b in combinations(taxonomy.coarse, 2):
        assert apart(hue(colors[a]), hue(colors[b])) > 0.9 / 6
    for fine in taxonomy.fine:
        assert apart(hue(colors[fine]), hue(colors[taxonomy.coarse_label(fine)])) < 0.01


@pytest.mark.parametrize("shared", [1, 12])
def test_fine_types_of_one_coarse_type_differ(shared):
    taxonomy = Taxonomy({f"t{i}": "T" for i in range(shared)} | {"u": "U"})
    colors = taxonomy_colors(taxonomy)
    assert len({colors[name] for name in taxonomy.fine}) == shared + 1


def test_displacy_draws_them_without_options():
    colors = multiconer2_colors()
    for label in ("Athlete", "Medication/Vaccine", "ORG"):
        doc = {"text": "Bolt", "ents": [{"start": 0, "end": 4, "label": label}], "title": None}
        html = displacy.render(doc, style="ent", manual=True, jupyter=False)
        assert f"background: {colors[label]};" in html
