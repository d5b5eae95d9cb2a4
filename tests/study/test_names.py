"""Names as evidence, measured: edits, recall of groups, and the page, each against what can be seen
by eye or was put in."""

import random
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import spacy
from encoders import tiny_bert
from knowledge_names import builder
from numpy.testing import assert_allclose
from pipelines import SENTENCES, sentence
from simulated import found, gold, record
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_finegrained_ner.benchmark.sentences import read_docs
from spacy_finegrained_ner.data.corpus import EMBEDDED, sentence_to_doc
from spacy_finegrained_ner.scoring.bootstrap import f_scores
from study.__main__ import app
from study.analysis.names import entity_groups, on_valid, pairwise
from study.analysis.scores import score_groups, score_recall, sentence_counts
from study.page.experiment import write_experiment
from study.plan.names import CHANGES, NAMES, corrupted, edited
from study.plan.stages import Run
from study.runs.records import (
    GOLD,
    LISTED,
    RECORD,
    Found,
    Gold,
    Listed,
    read_gold,
    read_records,
    write,
)


def docs(*texts):
    vocab = spacy.blank("en").vocab
    return [sentence_to_doc(vocab, sentence(text)) for text in texts]


def edits(a, b):
    """Restricted edit distance, by hand: neighbors that are swapped are one edit."""
    rows = {(i, j): i + j for i in range(len(a) + 1) for j in range(len(b) + 1) if not i * j}
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            ways = [
                rows[i - 1, j] + 1,
                rows[i, j - 1] + 1,
                rows[i - 1, j - 1] + (a[i - 1] != b[j - 1]),
            ]
            if i > 1 and j > 1 and a[i - 2 : i] == b[j - 2 : j][::-1]:
                ways.append(rows[i - 2, j - 2] + 1)
            rows[i, j] = min(ways)
    return rows[len(a), len(b)]


@pytest.mark.parametrize("word", ["a", "aa", "ab", "lyon", "o'brien", "7"])
def test_an_edit_is_one_edit_and_leaves_a_word(word):
    rng = random.Random(0)
    made = {edited(word, rng) for _ in range(300)}
    assert all(one and edits(word, one) == 1 for one in made)
    assert {len(one) - len(word) for one in made} == {0, 1} | ({-1} if len(word) > 1 else set())
    if word == "lyon":
        assert {"ylon", "lyno", "yon"} <= made


def test_each_entity_has_one_edit_and_nothing_else_has():
    before = docs(*SENTENCES * 5)
    (after,) = corrupted({"valid": before}).values()
    for doc, copy in zip(before, after, strict=True):
        assert [(e.start, e.end, e.label_) for e in copy.ents] == [
            (e.start, e.end, e.label_) for e in doc.ents
        ]
        for token, other in zip(doc, copy, strict=True):
            assert other.text
            if not token.ent_type_:
                assert other.text == token.text
        for span, other in zip(doc.ents, copy.ents, strict=True):
            assert sum(edits(a.text, b.text) for a, b in zip(span, other, strict=True)) == 1
    again = corrupted({"valid": before})["corrupted"]
    assert [doc.text for doc in again] == [doc.text for doc in after]


def test_recall_by_hand():
    """Against counts on the sentences as they are, and on drawn ones."""
    table = gold(60)
    one = record(Run("a", "names", "with", 0, ()), {"valid": table}, 0.5, 0)
    hits = one.sets["valid"].hits
    places = {"some": [0, 5, 7, 118], "none": [], "first": [0]}
    scores = score_recall([one], "valid", table, 20, places)
    named = {part.value: (part.support, f1[0]) for (part, _), f1 in scores.items()}
    assert named.keys() == {"some", "first"}
    assert named["some"][0] == 4
    assert named["some"][1][0] == sum(hits[i] == "1" for i in places["some"]) / 4
    # A single entity is found or not; a draw without it has nothing
    assert {*named["first"][1]} <= {0.0, float(hits[0])}
    # All entities: as the counts say
    every = score_recall([one], "valid", table, 5, {"all": range(len(table.entities))})
    counts = sentence_counts(one.sets["valid"], table).sum(axis=(0, 1, 2))
    assert_allclose(next(iter(every.values()))[0, 0], counts[0] / (counts[0] + counts[2]))
    with pytest.raises(ValueError, match="are of different data"):
        score_recall([replace(one, sets={"valid": Found({}, "1")})], "valid", table, 5, places)


def test_groups_of_entities_by_hand():
    table = Gold(["A"], [5], [(0, 0, 1, seen) for seen in (0, 1, 0, 1)])
    groups = entity_groups(table, Listed("", "2210", "0000"))
    assert groups == {
        "in the lists, with their type": [0, 1],
        "unseen, in the lists, with their type": [0],
        "seen, in the lists, with their type": [1],
        "in the lists, with other types only": [2],
        "unseen, in the lists, with other types only": [2],
        "seen, in the lists, with other types only": [],
        "not in the lists": [3],
        "unseen, not in the lists": [],
        "seen, not in the lists": [3],
    }


RANDOM_ADDED = "with names, a million random n-grams added, against default config"
FOUND = {
    **{"without": 0.5, "with": 0.7, "with@half": 0.6, "with@random": 0.65, "with@shuffled": 0.4},
    **{"fewer": 0.55, "fewer@given": 0.68},
}


@pytest.fixture
def simulated(tmp_path):
    """Three seeds of each arm that find entities with these probabilities; all names are listed in
    one third of the entities, and half of those are new."""
    table = gold()
    write(GOLD.dump_json(table), tmp_path / "gold-train-valid.json")
    count = len(table.entities)
    spans = ("210" * count)[:count]
    left_out = "".join("1" if n % 6 == 0 else "0" for n in range(count))
    write(LISTED.dump_json(Listed("x", spans, left_out)), tmp_path / "listed-valid.json")
    for run in NAMES.runs():
        sets = {
            name: found(table, FOUND[run.arm + name.removeprefix("valid")], run.seed + len(name))
            for name in run.sets
            if name.startswith("valid")
        }
        one = replace(record(run, {}, 0.5, 0), sets=sets)
        write(RECORD.dump_json(one), tmp_path / "runs" / f"{run.name}.json")
    return tmp_path


def test_the_page_has_what_was_put_in(simulated):
    write_experiment(NAMES, simulated, draws=200)
    text = (simulated / "README.md").read_text(encoding="utf-8")
    for title in ("Names changed at prediction", "New names", "What the lists have", "By type"):
        assert f"## {title}" in text
    for change in CHANGES.values():
        assert f"with names, {change}, against default config" in text
    records = sorted(on_valid(read_records(simulated)), key=lambda r: r.run.arm, reverse=True)
    score = partial(score_groups, groups={})
    one = pairwise(records, simulated, 200, [("with@random", "without")], score)
    (effect,) = [row for row in one.comparisons if row.metric == "macro"]
    assert effect.low < effect.least < effect.value
    macro = [
        np.mean([
            f_scores(sentence_counts(r.sets["valid"], gold()).sum(axis=(0, 1)))[1]
            for r in records
            if r.run.arm == arm
        ])
        for arm in ("with@random", "without")
    ]  # fmt: skip
    assert_allclose(effect.value, macro[0] - macro[1])
    (line,) = [x for x in text.splitlines() if x.startswith(f"| {RANDOM_ADDED} |")]
    assert effect.signed in line
    assert (
        f"{effect.signed} points of macro F1; the lower bound of a one-sided 95% interval is "
        in text
    )
    (row,) = [x for x in text.splitlines() if x.startswith("| not in the lists |")]
    assert row.split("|")[2].strip() == f"{800 // 3}"
    given = "with names, some left out, given back, against with names, some left out"
    assert any(x.startswith(f"| {given} |") for x in text.splitlines())


def test_a_page_of_one_arm_and_one_seed(simulated):
    """While the others are not there yet."""
    for path in (simulated / "runs").iterdir():
        if path.stem != "names-with-seed0":
            path.unlink()
    write_experiment(NAMES, simulated, draws=20)
    text = (simulated / "README.md").read_text(encoding="utf-8")
    assert "## Valid part" in text
    assert "@" not in text
    assert read_gold(simulated, "train", "valid@half") == gold()


@pytest.mark.slow
def test_the_smoke_experiment(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study", "experiment"])
    tiny_bert(tmp_path / "encoder", layers=1)
    data = tmp_path / "data"
    data.mkdir()
    vocab = spacy.blank("en").vocab
    for part in ("train", "valid"):
        DocBin(docs=read_docs(EMBEDDED / f"{part}.conll")).to_disk(data / f"{part}.spacy")
    texts = list(DocBin().from_disk(data / "valid.spacy").get_docs(vocab))
    some = {(ent.text, ent.label_) for doc in texts for ent in doc.ents}
    builder(names=[(name, label, ["web"]) for name, label in sorted(some)]).write(
        tmp_path / "names.kb"
    )

    def command(*arguments):
        done = CliRunner().invoke(app, [str(one) for one in arguments])
        assert done.exit_code == 0, done.output + done.stderr

    out = tmp_path / "out"
    asked = ("experiment", "names", data, "--output", out, "--smoke", "--knowledge")
    where = ("--encoder", tmp_path / "encoder", "--work", tmp_path / "work")
    command(*asked, tmp_path / "names.kb", *where)
    records = {r.run.arm: r for r in read_records(out)}
    assert set(records["with"].sets) == {
        *("valid", "corrupted", "valid@half", "valid@random", "valid@shuffled")
    }
    assert set(records["fewer"].sets) == {"valid", "corrupted", "valid@given"}
    listed = LISTED.validate_json((out / "listed-valid.json").read_bytes())
    assert {*listed.left_out} == {"0", "1"}
    command("page", out, "--experiment", "names")
    assert "## New names" in (out / "README.md").read_text(encoding="utf-8")
