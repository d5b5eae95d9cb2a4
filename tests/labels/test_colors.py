import colorsys
import re
from itertools import combinations

import pytest
from pipelines import make_nlp
from spacy import displacy
from spacy.tokens import Span
from spacy.training import Example

from spacy_finegrained_ner.labels.colors import displacy_colors, taxonomy_colors
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


@pytest.mark.parametrize("coarse", [6, 33])
def test_every_coarse_type_has_its_own_color_and_black_text_is_readable_on_it(coarse):
    taxonomy = Taxonomy({f"t{i}": f"T{i % coarse}" for i in range(66)})
    colors = taxonomy_colors(taxonomy)
    assert set(colors) == {*taxonomy.fine, *taxonomy.coarse}
    assert len(set(colors.values())) == coarse
    for name, color in colors.items():
        assert re.fullmatch("#[0-9a-f]{6}", color), name
        assert contrast_with_black(color) > 4.5, name  # WCAG level AA


def test_one_hue_for_each_coarse_type():
    taxonomy = read_taxonomy()
    colors = taxonomy_colors(taxonomy)
    for a, b in combinations(taxonomy.coarse, 2):
        assert apart(hue(colors[a]), hue(colors[b])) > 0.9 / 6
    for fine in taxonomy.fine:
        assert colors[fine] == colors[taxonomy.coarse_label(fine)]


def test_displacy_draws_them_without_options():
    colors = displacy_colors()
    for label in ("Athlete", "Medication/Vaccine", "ORG"):
        doc = {"text": "Bolt", "ents": [{"start": 0, "end": 4, "label": label}], "title": None}
        html = displacy.render(doc, style="ent", manual=True, jupyter=False)
        assert f"background: {colors[label]};" in html


@pytest.mark.parametrize("style", ["ent", "span"])
def test_displacy_draws_types_of_a_users_own_as_soon_as_their_pipeline_is_there(style):
    taxonomy = Taxonomy({"Laptop": "Hardware", "Crash": "Problem"}, "mine")
    nlp = make_nlp(back_off={"spans_key": "sc"})
    data = [
        Example.from_dict(
            nlp.make_doc("my t480 hangs"), {"entities": [(3, 7, "LAPTOP"), (8, 13, "Crash")]}
        )
    ]
    nlp.get_pipe("finegrained_ner").initialize(lambda: data, nlp=nlp, taxonomy=taxonomy)
    colors = taxonomy_colors(nlp.get_pipe("finegrained_ner").taxonomy)
    doc = nlp.make_doc("my t480 hangs")
    doc.ents = [Span(doc, 1, 2, "LAPTOP")]
    doc.spans["sc"] = [Span(doc, 1, 2, "LAPTOP"), Span(doc, 2, 3, "Problem")]
    html = displacy.render(doc, style=style, page=True, jupyter=False)
    assert html.startswith("<!DOCTYPE html>")
    assert colors["LAPTOP"] in html
    assert style == "ent" or colors["Problem"] in html
    # What displacy.serve shows then
    assert b"".join(displacy.app({}, lambda *_: None)).decode() == html
