"""The verbs teach and compare, as a user types them."""

import pytest
import spacy
import srsly
from pipelines import SENTENCES, entities, examples, make_nlp, sentence, train
from spacy.language import Language
from spacy.tokens import DocBin
from test_commands import run, write_spacy

from spacy_finegrained_ner.data.corpus import sentence_to_doc
from spacy_finegrained_ner.data.soft_targets import SOFT_TARGETS
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from spacy_finegrained_ner.pipeline.teaching import taxonomy_of
from spacy_finegrained_ner.scoring.comparison import compared

WRITTEN = {"mapping": {"Athlete": "PERSON", "Scientist": "PERSON"}}
TEXTS = "pelé drinks green tea\n\n  marie curie in lyon\n"


def test_teach_writes_what_the_teacher_finds(model, tmp_path):
    (tmp_path / "texts.txt").write_text("\ufeff" + TEXTS, encoding="utf-8")
    code, said = run("teach", model, tmp_path / "texts.txt", tmp_path / "out" / "taught.spacy")
    assert code == 0, said
    assert "2 texts, 4 entities" in said
    nlp = spacy.load(model)
    docs = list(DocBin().from_disk(tmp_path / "out" / "taught.spacy").get_docs(nlp.vocab))
    for doc in docs:
        assert entities(doc) == entities(nlp(doc.text))
        assert SOFT_TARGETS not in doc.user_data
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["taught.spacy"]


@pytest.mark.parametrize("more", [(), ("--soft",), ("--component", "finegrained_ner")])
def test_the_student_has_the_taxonomy_of_the_teacher(model, tmp_path, more):
    (tmp_path / "texts.txt").write_text(TEXTS, encoding="utf-8")
    where = tmp_path / "tree.toml"
    paths = (model, tmp_path / "texts.txt", tmp_path / "taught.spacy")
    code, said = run("teach", *paths, "--write-taxonomy", where, *more)
    assert code == 0, said
    teacher = spacy.load(model).get_pipe("finegrained_ner").taxonomy
    assert dict(read_taxonomy(where).coarse_of) == dict(teacher.coarse_of)
    (tmp_path / "own.toml").write_text(
        'All = ["Athlete", "Scientist", "Drink", "HumanSettlement"]\n'
    )
    given = ("--taxonomy", tmp_path / "own.toml", "--write-taxonomy", where)
    assert run("teach", *paths, *given, *more)[0] == 0
    assert read_taxonomy(where).coarse == ("All",)


def test_labels_of_another_teacher_are_flat(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "DRINK", "pattern": "tea"}])
    nlp.to_disk(tmp_path / "rules")
    (tmp_path / "texts.txt").write_text(TEXTS, encoding="utf-8")
    paths = (tmp_path / "rules", tmp_path / "texts.txt", tmp_path / "taught.spacy")
    code, said = run("teach", *paths, "--write-taxonomy", tmp_path / "tree.toml")
    assert code == 0, said
    assert dict(read_taxonomy(tmp_path / "tree.toml").coarse_of) == {"DRINK": "DRINK"}


def test_written_names_have_their_own_taxonomy(model, tmp_path):
    """What is taught has the labels that the teacher writes; soft targets have its fine ones."""
    nlp = spacy.load(model, config={"components": {"finegrained_ner": {"written": WRITTEN}}})
    component = nlp.get_pipe("finegrained_ner")
    assert taxonomy_of(nlp, None) == component.names.taxonomy
    assert "PERSON" in component.names.taxonomy.fine
    assert taxonomy_of(nlp, "finegrained_ner", soft=True) == component.taxonomy
    assert "PERSON" not in component.taxonomy.fine
    assert taxonomy_of(spacy.blank("en"), None) is None
    nlp = spacy.load(model, config={"components": {"finegrained_ner": {"annotate": "spans"}}})
    assert taxonomy_of(nlp, None) is None  # it writes no doc.ents
    assert taxonomy_of(nlp, "finegrained_ner") is not None


def test_labels_that_the_taxonomy_lacks_are_told_and_flat(model, tmp_path):
    write_spacy(tmp_path / "gold.spacy", ["tom/B-Troll met/- pelé/-"])
    paths = (model, tmp_path / "gold.spacy", tmp_path / "taught.spacy")
    code, said = run("teach", *paths, "--write-taxonomy", tmp_path / "tree.toml")
    assert code == 0, said
    assert "1 type(s) are in no coarse type" in said
    tree = read_taxonomy(tmp_path / "tree.toml")
    assert (tree.coarse_label("Troll"), tree.coarse_label("Athlete")) == ("Troll", "Person")
    code, said = run("teach", *paths, "--taxonomy", tmp_path / "tree.toml")
    assert (code, "give both, or neither" in said) == (1, True)


def test_without_an_entity_there_is_no_taxonomy(tmp_path):
    spacy.blank("en").to_disk(tmp_path / "none")
    (tmp_path / "texts.txt").write_text(TEXTS, encoding="utf-8")
    paths = (tmp_path / "none", tmp_path / "texts.txt", tmp_path / "taught.spacy")
    code, said = run("teach", *paths, "--write-taxonomy", tmp_path / "tree.toml")
    assert code == 0, said
    assert not (tmp_path / "tree.toml").exists()


def test_teach_softly(model, tmp_path):
    write_spacy(tmp_path / "gold.spacy", ["pelé/- met/- pelé/B-Drink"])
    code, said = run("teach", model, tmp_path / "gold.spacy", tmp_path / "taught.spacy", "--soft")
    assert code == 0, said
    vocab = spacy.blank("en").vocab
    (doc,) = DocBin().from_disk(tmp_path / "taught.spacy").get_docs(vocab)
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("pelé", "Athlete"), ("pelé", "Drink")]
    assert SOFT_TARGETS in doc.user_data


@pytest.mark.parametrize(
    ("texts", "more", "message"),
    [
        (" \n", (), "holds no texts"),
        (TEXTS, ("--component", "ner"), "has no component 'ner', expected one of"),
        (b"\xff\xfe\x00", (), "expected a text file in UTF-8"),
    ],
)
def test_teach_says_what_is_wrong(model, tmp_path, texts, more, message):
    content = texts if isinstance(texts, bytes) else texts.encode()
    (tmp_path / "texts.txt").write_bytes(content)
    code, said = run("teach", model, tmp_path / "texts.txt", tmp_path / "taught.spacy", *more)
    assert code == 1
    assert message in said
    assert not (tmp_path / "taught.spacy").exists()


def test_teach_does_not_take_another_name(model, tmp_path):
    (tmp_path / "texts.txt").write_text(TEXTS, encoding="utf-8")
    code, said = run("teach", model, tmp_path / "texts.txt", tmp_path / "taught.json")
    assert code == 1
    assert "expected the name of a .spacy file" in said


def test_teach_counts_texts_without_an_answer(tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("silent_cli")
    nlp.to_disk(tmp_path / "silent")
    (tmp_path / "texts.txt").write_text(TEXTS, encoding="utf-8")
    code, said = run("teach", tmp_path / "silent", tmp_path / "texts.txt", tmp_path / "t.spacy")
    assert code == 0
    assert "2 texts without an answer" in said
    assert "found no entity in these texts" in said


@Language.component("silent_cli")
def silent(doc):
    return doc


def test_compare_has_a_row_for_each(model, tmp_path):
    gold = write_spacy(tmp_path / "gold.spacy")
    code, said = run(
        "compare", gold, model, model, "--hourly", "2", "--output", tmp_path / "t" / "rows.json"
    )
    assert code == 0, said
    rows = srsly.read_json(tmp_path / "t" / "rows.json")
    assert len(rows) == 2
    for row in rows:
        assert row["micro"] == [1.0, [1.0, 1.0]]
        assert row["unanswered"] == 0
        words = sum(len(sentence(text).words) for text in SENTENCES)
        seconds = words / row["words_per_second"]
        expected = 2 * seconds / 3600 / len(SENTENCES) * 1e6
        assert row["cost_per_million"] == pytest.approx(expected, rel=1e-6)
    assert "100.0" in said


def test_what_a_service_reports_is_its_cost(tmp_path):
    nlp = make_nlp()
    train(nlp, examples(nlp), 30)
    component = nlp.get_pipe("finegrained_ner")
    paid = [{"cost": 1.0, "cached": 10}, {"cost": 1.5, "cached": 13}]
    type(component).costs = lambda self: paid.pop(0)
    try:
        gold = [sentence_to_doc(nlp.vocab, sentence(text)) for text in SENTENCES]
        row = compared(nlp, gold, component.taxonomy, samples=5, hourly=3.0)
        assert row["cost_per_million"] == pytest.approx(0.5 / 2 * 1e6)  # 3 of 5 from the cache
        assert row["words_per_second"] is None
        paid += [{"cost": None, "cached": 0}, {"cost": None, "cached": 0}]
        assert compared(nlp, gold, component.taxonomy, samples=5)["cost_per_million"] is None
    finally:
        del type(component).costs


def test_what_writes_other_names_is_measured_as_the_others_are(tmp_path):
    nlp = make_nlp()
    train(nlp, examples(nlp), 30)
    nlp.to_disk(tmp_path)
    written = {"labels": ["Scientist"], "mapping": {"Scientist": "PERSON"}}
    block = {"finegrained_ner": {"written": written}}
    other = spacy.load(tmp_path, config={"components": block})
    gold = [sentence_to_doc(nlp.vocab, sentence(text)) for text in SENTENCES]
    taxonomy = nlp.get_pipe("finegrained_ner").taxonomy
    rows = [compared(one, gold, taxonomy, samples=5) for one in (nlp, other)]
    assert rows[0]["micro"] == rows[1]["micro"]
    assert rows[0]["micro"][0] > 0.9
    assert {ent.label_ for ent in other("marie curie met pelé in lyon").ents} == {"PERSON"}


def test_compare_takes_pipelines_of_others_too(model, tmp_path):
    gold = write_spacy(tmp_path / "gold.spacy")
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("entity_ruler")
    # A label that the taxonomy lacks is none of what is compared
    patterns = {"Athlete": "pelé", "PERSON": "marie curie"}
    ruler.add_patterns([{"label": x, "pattern": text} for x, text in patterns.items()])
    nlp.to_disk(tmp_path / "rules")
    rows = tmp_path / "rows.json"
    with pytest.warns(UserWarning, match=r"finds \d entit.* left out: PERSON\."):
        code, said = run("compare", gold, tmp_path / "rules", model, "--output", rows)
    assert code == 0, said
    rules, ours = srsly.read_json(rows)
    labels = [span.label_ for eg in examples(make_nlp()) for span in eg.reference.ents]
    true = sum(eg.reference.text.count("pelé") for eg in examples(make_nlp()))
    assert rules["micro"][0] == pytest.approx(2 * true / (true + len(labels)))
    assert ours["micro"][0] == 1.0
    code, said = run("compare", gold, tmp_path / "rules")
    assert code == 1
    assert "has a component of this package, expected one at least" in said
