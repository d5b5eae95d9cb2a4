"""docs/design.md names what there is; what it says of Docs is in pipeline/test_on_the_doc.py."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def test_the_tour_names_what_there_is():
    package = ROOT / "spacy_finegrained_ner"
    tour = DESIGN[DESIGN.index("## A tour") : DESIGN.index("## Gold")]
    assert [int(n) for n in re.findall(r"^(\d+)\. ", tour, flags=re.MULTILINE)] == [*range(1, 20)]
    named = re.findall(r"`([\w.]+)` \((?:of a task, )?`([\w/]+\.py)`\)", tour)
    named += re.findall(r"\(`([\w.]+)`, `([\w/]+\.py)`\)", tour)
    assert len(named) >= 20
    for name, file in named:
        source = (package / file).read_text(encoding="utf-8")
        for part in name.split("."):
            assert re.search(rf"^\s*(?:async )?(def|class) {part}\b", source, flags=re.MULTILINE), (
                name,
                file,
            )


def test_the_python_runs():
    for block in re.findall(r"```python\n(.*?)```", DESIGN, flags=re.DOTALL):
        found: dict = {}
        exec(block, found)
        assert found["doc"].spans["finegrained_ner_labelled"]
