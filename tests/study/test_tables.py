"""How effects are written, and how cells make a table."""

from spacy_finegrained_ner.pages.document import Table
from study.analysis.rows import Effect
from study.analysis.scores import Part
from study.page.tables import starred, table

WHOLE = Part("all", "all", 9)


def row(value, low, high, holm=0.0) -> Effect:
    return Effect(value, low, high, holm, low, "a", "b", WHOLE, "macro", holm=holm)


def test_an_effect_has_a_sign_and_points():
    assert starred(row(0.0123, 0.003, 0.021)) == "+1.2 (0.3 to 2.1) *"
    assert starred(row(0.0123, 0.003, 0.021, holm=0.05)) == "+1.2 (0.3 to 2.1)"
    assert starred(row(-0.0004, -0.011, 0.0004)) == "0.0 (\N{MINUS SIGN}1.1 to 0.0)"


def test_cells_of_a_row_come_together_and_what_is_not_there_is_empty():
    cells = [("x", {"b": "1"}), ("y", {"a": "2"}), ("x", {"a": "3"})]
    assert table("c", "n", cells) == [
        Table("c", ["n", "b", "a"], [["x", "1", "3"], ["y", "", "2"]])
    ]
    assert table("c", "n", []) == []
