"""docs/private-names.md has the private names that the package uses, and no others."""

import re
from pathlib import Path

import pytest
from private_names import private_names

ROOT = Path(__file__).parents[1]


def test_the_table_has_what_is_used():
    page = (ROOT / "docs" / "private-names.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(private_names(ROOT))


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("shim._model.eval()", ["_model"]),
        ("from spacy.cli._util import setup_cli", ["_util"]),
        ("from torch import _C", ["_C"]),
        ("import torch._dynamo", ["_dynamo"]),
        ("getattr(x, '_name', None)", ["_name"]),
        ("setattr(x, '_name', 1)", ["_name"]),
        ("span._.coarse_label + x.__class__", []),
        ("class A:\n    def _mine(self): self._own = 1\na._mine, b._own, _local()", []),
        ("class A:\n    def f(self): self._model = 1\n    def g(self): self._model", []),
        ("def f(_argument): return _argument", []),
    ],
)
def test_what_counts(code, found, tmp_path):
    (tmp_path / "spacy_finegrained_ner").mkdir()
    (tmp_path / "spacy_finegrained_ner" / "a.py").write_text(code)
    assert list(private_names(tmp_path)) == found
