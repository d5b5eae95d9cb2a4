"""What an annotated Doc says, however it got there and whoever wrote into it."""

import json
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import spacy
from pipelines import entities, examples, make_nlp, train
from spacy.language import Language
from spacy.lookups import Lookups
from spacy.tokens import Doc, DocBin, Span
from spacy.tokens.underscore import Underscore

from spacy_finegrained_ner.data.coarse import TABLE
from spacy_finegrained_ner.data.extensions import FACTS, facts_of, keep_facts
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

NAME = "finegrained_ner"
TEXT = "marie curie met pelé in lyon"
EXPECTED = [
    ("marie curie", "Scientist", "Person"),
    ("pelé", "Athlete", "Person"),
    ("lyon", "HumanSettlement", "Location"),
]
DESIGN = (Path(__file__).parents[2] / "docs" / "design.md").read_text(encoding="utf-8")


def trained(**config) -> Language:
    nlp = make_nlp(**config)
    train(nlp, examples(nlp), 60)
    return nlp


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory) -> dict[str, Path]:
    """On disk, one that writes doc.ents and one that writes a span group."""
    saved = {}
    for how in ("overwrite", "spans"):
        saved[how] = tmp_path_factory.mktemp(how) / "model"
        trained(annotate=how).to_disk(saved[how])
    return saved


@pytest.fixture
def nlp(pipelines) -> Language:
    return spacy.load(pipelines["overwrite"])


WAYS = {
    "`doc.copy()`": lambda nlp, doc: doc.copy(),
    "`Doc.to_bytes`": lambda nlp, doc: Doc(nlp.vocab).from_bytes(doc.to_bytes()),
    "`pickle`": lambda nlp, doc: pickle.loads(pickle.dumps(doc)),
    '`Doc.to_bytes(exclude=["user_data"])`': lambda nlp, doc: Doc(nlp.vocab).from_bytes(
        doc.to_bytes(exclude=["user_data"])
    ),
    "`DocBin()`": lambda nlp, doc: next(DocBin(docs=[doc]).get_docs(nlp.vocab)),
    "`DocBin(store_user_data=True)`": lambda nlp, doc: next(
        DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab)
    ),
    "`Doc.from_docs`": lambda nlp, doc: Doc.from_docs([doc, nlp.make_doc("nothing")]),
    "`span.as_doc()`": lambda nlp, doc: doc[:].as_doc(),
    "`span.as_doc(copy_user_data=True)`": lambda nlp, doc: doc[:].as_doc(copy_user_data=True),
    "`doc.to_json()` and `from_json`": lambda nlp, doc: Doc(nlp.vocab).from_json(doc.to_json()),
    '`doc.to_json(underscore=["_finegrained_ner"])` and `from_json`': lambda nlp, doc: Doc(
        nlp.vocab
    ).from_json(doc.to_json(underscore=[FACTS])),
    "on a vocab without the taxonomy": lambda nlp, doc: Doc(spacy.blank("en").vocab).from_bytes(
        doc.to_bytes()
    ),
}
FOUND = {"yes": True, "no": False, "entities; None": None, "no group": None}


def table() -> dict[str, list[str]]:
    """The rows of docs/design.md."""
    rows = {}
    for line in DESIGN[DESIGN.index("| way |") :].splitlines()[2:]:
        if not line.startswith("|"):
            break
        way, *cells = (cell.strip() for cell in line.strip("|").split(" | "))
        way = way.partition(" (an error")[0]
        for one in [way] if way in WAYS else way.split(", "):
            rows[one] = cells
    return rows


def as_json(facts):
    """A DocBin gives tuples, JSON gives lists."""
    return json.loads(json.dumps(facts))


def test_the_table_has_all_ways():
    others = {"`doc.set_ents`", "`entity_ruler`", "widened bounds", "`nlp.pipe(n_process=2)`"}
    assert table().keys() == WAYS.keys() | others


@pytest.mark.parametrize("way", WAYS)
def test_what_the_table_says_is_kept(pipelines, way):
    coarse, facts, attrs = (FOUND[cell.strip("| ")] for cell in table()[way])
    nlp = spacy.load(pipelines["overwrite"])
    doc = nlp(TEXT)
    for ent in doc.ents:
        keep_facts(ent, {"p": 0.5, "others": ("a", "b")})
    doc = WAYS[way](nlp, doc)
    if coarse:
        assert entities(doc) == EXPECTED
    else:
        assert entities(doc) == [(text, label, None) for text, label, _ in EXPECTED]
    kept = {"p": 0.5, "others": ["a", "b"]} if facts else {}
    assert [as_json(facts_of(ent)) for ent in doc.ents] == [kept] * 3
    if facts:  # the record has what the spans have
        read = nlp.get_pipe(NAME).read(doc)
        assert [as_json(read.facts[entity]) for entity in read.entities] == [kept] * 3

    nlp = spacy.load(pipelines["spans"])
    doc = nlp(TEXT)
    keep_facts(doc.spans[NAME][0], {"p": 0.5})
    doc = WAYS[way](nlp, doc)
    if attrs is None and way != "on a vocab without the taxonomy":
        assert NAME not in doc.spans
        return
    group = doc.spans[NAME]
    labels = ["Person", "Person", "Location"]
    assert [span.label_ for span in group] == [label for _, label, _ in EXPECTED]
    assert group.attrs.get("coarse_labels") == (labels if attrs else None)
    assert ("scores" in group.attrs) == attrs
    taxonomy = nlp.get_pipe(NAME).taxonomy
    assert [taxonomy.coarse_label(span.label_) for span in group] == labels


def test_the_first_call_after_loading_is_in_two_processes(pipelines, tmp_path):
    """Of a pipeline saved before there was a table, too."""
    nlp = spacy.load(pipelines["overwrite"])
    nlp.vocab.lookups.remove_table(TABLE)
    nlp.to_disk(tmp_path / "old")
    code = (
        "import spacy, sys, torch\n"
        "torch.set_num_threads(1)\n"
        "nlp = spacy.load(sys.argv[1])\n"
        "docs = list(nlp.pipe([sys.argv[2]] * 4, n_process=2, batch_size=1))\n"
        "print([[(e.text, e.label_, e._.coarse_label) for e in doc.ents] for doc in docs])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "old"), TEXT],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.strip() == str([EXPECTED] * 4)


@pytest.mark.parametrize("component", [NAME, "crf_ner"])
def test_unpickled_in_another_process(component, tmp_path):
    if component == NAME:
        nlp = trained()
    else:
        nlp = spacy.blank("en")
        nlp.add_pipe("crf_ner", config={"features": {"pos": False}, "report_every": 0})
        nlp.initialize(lambda: examples(nlp))
    path = tmp_path / "nlp.pickle"
    path.write_bytes(pickle.dumps(nlp))
    code = (
        "import pickle, sys\n"
        "nlp = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print([(e.text, e.label_, e._.coarse_label) for e in nlp(sys.argv[2]).ents])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), TEXT],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.strip() == str(EXPECTED)


def test_whoever_gives_the_label_the_coarse_label_is_that_of_it(nlp):
    doc = nlp(TEXT)
    keep_facts(doc.ents[0], {"p": 0.5})
    doc.set_ents(
        [Span(doc, 0, 2, "Athlete"), Span(doc, 2, 3, "NOT_OURS"), Span(doc, 4, 5, "Drink")],
        default="unmodified",
    )
    assert entities(doc) == [
        ("marie curie", "Athlete", "Person"),
        ("met", "NOT_OURS", None),
        ("pelé", "Athlete", "Person"),
        ("in", "Drink", "Product"),
        ("lyon", "HumanSettlement", "Location"),
    ]
    assert facts_of(doc.ents[0]) == {}  # another label
    read = nlp.get_pipe(NAME).read(doc)
    assert [label for *_, label in read.entities] == [
        "Athlete", "Athlete", "Drink", "HumanSettlement"
    ]  # fmt: skip
    assert read.facts.keys() == {(5, 6, "HumanSettlement"), (3, 4, "Athlete")}  # as they were
    ruler = nlp.add_pipe("entity_ruler", config={"overwrite_ents": True})
    ruler.add_patterns([{"label": "Drink", "pattern": "in lyon"}])
    assert entities(nlp(TEXT))[-1] == ("in lyon", "Drink", "Product")


@Language.component("widen")
def widen(doc):
    doc.ents = [Span(doc, e.start - (e.start > 2), e.end, label=e.label) for e in doc.ents]
    return doc


def test_widened_bounds_keep_the_coarse_label_and_have_no_facts(nlp):
    nlp.add_pipe("widen")
    assert entities(nlp(TEXT)) == [
        EXPECTED[0],
        ("met pelé", "Athlete", "Person"),
        ("in lyon", "HumanSettlement", "Location"),
    ]


def test_what_is_read_is_what_was_predicted(nlp):
    pipe = nlp.get_pipe(NAME)
    docs = [nlp.make_doc(text) for text in (TEXT, "", "nothing to see", " pelé \n lyon ")]
    predictions = pipe.predict(docs)
    facts = [{entity: {"p": i} for i, entity in enumerate(p.entities)} for p in predictions]
    predictions = [Prediction(p.entities, f) for p, f in zip(predictions, facts, strict=True)]
    pipe.set_annotations(docs, predictions)
    assert [pipe.read(doc) for doc in docs] == predictions
    assert [docs[3][start:end].text for start, end, _ in predictions[3].entities] == [
        "pelé",
        "lyon",
    ]
    # Annotated again, without facts or even entities: those of before are gone
    pipe.set_annotations(docs[:2], [Prediction(p.entities) for p in predictions[:2]])
    before = docs[3].ents
    pipe.set_annotations(docs[2:], [Prediction()] * 2)
    docs[3].ents = before
    assert all(not pipe.read(doc).facts for doc in docs)


def test_made_by_hand_a_doc_is_read_too(nlp):
    made = Doc(spacy.blank("en").vocab, words=["a", "b", " "], ents=["B-DRINK", "O", "B-MISC"])
    assert nlp.get_pipe(NAME).read(made) == Prediction([(0, 1, "Drink")])


def test_an_attribute_of_ones_own_stays_and_ours_gets_another_name(pipelines, monkeypatch):
    monkeypatch.setattr(Underscore, "span_extensions", {})
    Span.set_extension("coarse_label", getter=lambda span: "mine")
    with pytest.warns(UserWarning, match=r"coarse_label = \"another_name\"") as said:
        nlp = spacy.load(pipelines["overwrite"])
    assert len(said) == 1
    assert [ent._.coarse_label for ent in nlp(TEXT).ents] == ["mine"] * 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp = spacy.load(
            pipelines["overwrite"],
            config={f"components.{NAME}.extensions.coarse_label": "kind"},
        )
        assert [ent._.kind for ent in nlp(TEXT).ents] == [coarse for *_, coarse in EXPECTED]
        again = pickle.loads(pickle.dumps(nlp))
        assert [ent._.kind for ent in again(TEXT).ents] == [coarse for *_, coarse in EXPECTED]


def test_components_that_disagree_are_named_and_initialized_anew_it_may_be_another(nlp):
    other = Taxonomy(dict.fromkeys(nlp.get_pipe(NAME).labels, "Anything"))
    model = nlp.get_pipe_config(NAME)["model"]
    second = nlp.add_pipe(NAME, name="second", config={"model": model})
    with pytest.raises(
        ValueError, match=r"'second' has .* under 'Anything', and 'finegrained_ner'"
    ):
        second.initialize(lambda: examples(nlp), nlp=nlp, taxonomy=other)
    with pytest.raises(ValueError, match="E109"):  # it is not half of another one
        nlp.get_pipe("second").taxonomy  # noqa: B018
    nlp.remove_pipe("second")
    nlp.get_pipe(NAME).initialize(lambda: examples(nlp), nlp=nlp, taxonomy=other)
    doc = Doc(nlp.vocab, words=["pelé"], ents=["B-Athlete"])
    assert doc.ents[0]._.coarse_label == "Anything"


def test_lookups_of_the_config_take_the_place_of_those_that_were_there(monkeypatch):
    nlp = make_nlp()

    def load_lookups(nlp, **kwargs):
        nlp.vocab.lookups = Lookups()

    monkeypatch.setattr("spacy.language.init_vocab", load_lookups)
    train(nlp, examples(nlp), 60)
    assert entities(nlp(TEXT)) == EXPECTED
    docs = list(nlp.pipe([TEXT] * 2, n_process=2, batch_size=1))
    assert [entities(doc) for doc in docs] == [EXPECTED] * 2


def test_sourced_from_another_pipeline(nlp):
    target = spacy.blank("en")
    target.add_pipe(NAME, source=nlp)
    assert target.vocab is not nlp.vocab
    assert entities(target(TEXT)) == EXPECTED
    docs = list(target.pipe([TEXT] * 2, n_process=2, batch_size=1))
    assert [entities(doc) for doc in docs] == [EXPECTED] * 2
