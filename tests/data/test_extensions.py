"""Names of the attributes of Span, and the one place for facts of a span."""

import subprocess
import sys
import warnings

import pytest
import spacy
from spacy.tokens import Doc, Span
from spacy.tokens.underscore import Underscore

from spacy_finegrained_ner.data.annotation import Annotation
from spacy_finegrained_ner.data.extensions import (
    ATTRIBUTES,
    FACTS,
    check_extensions,
    facts_of,
    keep_facts,
    register_extensions,
)
from spacy_finegrained_ner.labels.confidence import NAMES
from spacy_finegrained_ner.labels.prediction import Prediction

VOCAB = spacy.blank("en").vocab


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """None, as in a new process."""
    monkeypatch.setattr(Underscore, "span_extensions", {})


def span(label: str = "X", start: int = 0, end: int = 1) -> Span:
    return Span(Doc(VOCAB, words=["a", "b"]), start, end, label)


def test_registered_as_often_as_you_like():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            register_extensions()
        register_extensions({"coarse_label": "kind"}, "other")
    assert {FACTS, "kind", *NAMES} == set(Underscore.span_extensions)
    assert span()._.coarse_label is span()._.kind is None


def test_a_name_that_is_taken_stays_what_it_is_and_the_setting_is_named():
    Span.set_extension("coarse_label", getter=lambda span: "mine")
    with pytest.warns(UserWarning, match=r"'coarse_label' already.*components.ner2.extensions"):
        register_extensions(owner="ner2")
    assert span()._.coarse_label == "mine"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        register_extensions({"coarse_label": "coarse"}, "ner2")
        register_extensions({"coarse_label": None}, "ner2")
    assert span()._.coarse is None


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"kind": "kind"}, r"extensions of 'x' names 'kind', expected some of \['alternatives'"),
        ({"coarse_label": ""}, "coarse_label in extensions of 'x' is '', expected a name"),
        ({"coarse_label": "a b"}, "is 'a b', expected a name"),
        ({"coarse_label": 3}, "is 3, expected a name"),
    ],
)
def test_what_can_be_no_name_is_refused(names, message):
    with pytest.raises(ValueError, match=message):
        check_extensions(names, "x")


def test_what_is_not_named_keeps_its_name():
    assert NAMES.keys() == ATTRIBUTES.keys()
    assert check_extensions({}, "x") == NAMES
    assert check_extensions({"confidence": "sure"}, "x") == {**NAMES, "confidence": "sure"}


def test_facts_are_those_of_a_place_and_a_label():
    assert facts_of(span()) == {}  # nothing is registered
    register_extensions()
    one = span()
    keep_facts(one, {"p": 0.5})
    keep_facts(Span(one.doc, 0, 1, "Y"), {"p": 0.25})
    assert facts_of(one) == {"p": 0.5}
    assert facts_of(Span(one.doc, 0, 1, "Y")) == {"p": 0.25}
    for other in (Span(one.doc, 0, 1, "Z"), Span(one.doc, 0, 2, "X"), Span(one.doc, 1, 2, "X")):
        assert facts_of(other) == {}
    keep_facts(one, {})
    assert facts_of(one) == {}
    assert facts_of(Span(one.doc, 0, 1, "Y")) == {"p": 0.25}


def test_what_follows_from_the_label_can_not_be_set():
    register_extensions()
    with pytest.raises(ValueError, match=r"'mine' can't be set for the span 'a'.*another label"):
        span()._.coarse_label = "mine"


def test_importing_registers_nothing():
    code = (
        "from spacy.tokens import Span\n"
        "import spacy_finegrained_ner, spacy_finegrained_ner.data.extensions as e\n"
        "import spacy_finegrained_ner.pipeline.finegrained_ner\n"
        "import spacy_finegrained_ner.baselines.crf.component\n"
        "assert not Span.has_extension('coarse_label') and not Span.has_extension(e.FACTS)\n"
        "e.register_extensions(); assert Span.has_extension('coarse_label')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_component_writes_facts_for_its_own_entities_and_takes_none_of_others():
    one, entity = {"by": "one"}, (0, 1, "X")
    doc = Doc(VOCAB, words=["a", "b"])
    Annotation("overwrite", "one", "one").write(
        doc, Prediction([entity], {entity: one}), {"X": "C"}
    )
    for how in ("fill", "spans"):
        two = Annotation(how, "two", "two")
        two.write(doc, Prediction([entity]), {"X": "C"})
        assert facts_of(doc.ents[0]) == one
    wide = (0, 2, "Y")  # there is no room for it
    Annotation("fill", "", "two").write(doc, Prediction([wide], {wide: one}), {"Y": "C"})
    assert [ent.label_ for ent in doc.ents] == ["X"]
    assert facts_of(Span(doc, *wide)) == {}
