"""The paper's checks: arms that are run later, effects by sentence, the pooled figure, the page."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from pipelines import HASH_EMBED, examples, make_nlp, train
from simulated import gold, record
from spacy.training import Example
from test_experiments import INPUTS, command
from thinc.api import fix_random_seed

from study.analysis.rows import Effect
from study.analysis.scores import Part, pooled_scores, score_sentences
from study.page.checks import agreement
from study.plan.checks import BLENDING, best_also_linear
from study.plan.claims import CLAIMS, MORE, NO_DIFFERENCE, STUDY, Claim
from study.plan.experiments import EXPERIMENTS
from study.runs.pipelines import config_of
from study.runs.pooled import OnBatches
from study.runs.records import GOLD, RECORD, Found, Gold, Trained, write


def test_the_best_and_none_are_run_with_a_linear_head_once_the_best_is_known():
    f1 = {name: 0.5 for name, arm in BLENDING.arms.items() if not arm.later}
    f1["gated_sequence"] = 0.6
    assert {run.arm for run in BLENDING.runs()} == f1.keys()
    chosen = ["gated_sequence", "none", "gated_sequence_linear", "none_linear"]
    assert best_also_linear(f1) == chosen
    # What has been run later is no candidate
    for known in (f1, f1 | {"none_linear": 0.9}):
        runs = BLENDING.runs(known)
        assert {run.arm for run in runs if run.seed} == {*chosen}
        assert {run.arm for run in runs} == {*f1, *chosen}
    linear = BLENDING.arms["gated_sequence_linear"].trainings[0]
    config = config_of(linear, 0, INPUTS).interpolate()
    model = config["components"]["finegrained_ner"]["model"]
    assert (model["decoder"], model["sequence"]) == ("linear", None)
    assert model["blending"]["place"] == "sequence"


def counted(**words):
    """Two sentences: three words, two of them an entity that is found; and a long one with one of
    two entities found, and one that is none."""
    table = Gold(["A", "B"], [3, 25], [(0, 0, 2, 0), (1, 0, 1, 0), (1, 1, 3, 0)])
    (run,) = [r for r in EXPERIMENTS["decay"].runs() if r.arm == "linear" and r.seed == 0]
    one = record(run, {"valid": table, "dev": table}, 0.5, 0)
    found = Found({"ents_f": 2 / 3, "ents_macro_f": 0.4}, "110", [(1, 0, 0)])
    return replace(one, sets={"valid": found}, **words), table


def test_sentences_are_told_apart_by_length_and_by_words_outside_of_entities():
    """With two of 12 and 14 words: one whose two entities, of which one is found, leave two words;
    and one whose entity, which is found, leaves twelve. Of other lengths none tells of context."""
    one, table = counted()
    more = [(2, 0, 4, 0), (2, 1, 6, 0), (3, 0, 2, 0)]
    table = replace(table, words=[*table.words, 12, 14], entities=[*table.entities, *more])
    found = replace(one.sets["valid"], hits="110" + "101")
    one = replace(one, sets={"valid": found})
    found = score_sentences([one, one], "valid", table, 5)
    f1 = {part: scores[0, 0] for (part, _), scores in found.items()}
    assert f1 == pytest.approx(
        {
            Part("length", "1 to 10", 1): 1.0,
            Part("length", "22 and more", 2): 0.5,
            Part("length", "11 to 15", 3): 0.8,
            Part("context", "0 to 7 around", 2): 2 / 3,
            Part("context", "11 and more around", 1): 1.0,
            Part("difference", "short less long", 1): 0.5,
            Part("difference", "little less much", 1): -1 / 3,
        }
    )
    assert_allclose(found[Part("length", "1 to 10", 1), "micro"][0, 1:] % 1, 0)  # drawn or not


def test_the_pooled_figure_adds_the_counts_of_the_batches():
    """By hand: A has 2 + 7 found, 1 + 1 wrong, 0 + 2 missed; B none found, 1 missed; C 5 of 5."""
    batches = {"A": [7, 1, 2], "C": [5, 0, 0]}
    one, table = counted(trained=[Trained(10, 1.0, on_batches=batches)])
    pooled = pooled_scores(one, "valid", table)
    assert pooled["micro"] == pytest.approx(28 / (28 + 2 + 3))
    assert pooled["macro"] == pytest.approx((18 / 22 + 0 + 1) / 3)
    assert pooled_scores(counted()[0], "valid", table) is None
    assert pooled_scores(counted(trained=[])[0], "valid", table) is None  # of a language model


def test_what_is_counted_on_batches_is_predicted_with_dropout():
    """Against the same batch, forward alone, by the same draws of dropout."""
    nlp = make_nlp(model=HASH_EMBED | {"dropout": 0.8})
    component = nlp.get_pipe("finegrained_ner")
    data = examples(nlp)
    train(nlp, data, 8)

    def total(found):
        both = [(set(f), {(e.start, e.end, e.label_) for e in eg.reference.ents})
                for f, eg in zip(found, data, strict=True)]  # fmt: skip
        pairs = ((f & g, f - g, g - f) for f, g in both)
        return [sum(map(len, kind)) for kind in zip(*pairs, strict=True)]

    def counts(seed, act):
        fix_random_seed(seed)
        return act()

    def forward():
        docs = [eg.predicted for eg in data]
        with component._telling_gold(data):
            scores, _ = component.model.begin_update(docs)
        return total(component.decoder.decode(scores[0].tasks[0], scores[0].lengths))

    def update():
        watch = OnBatches(component, batches=1)
        component.update([Example(eg.predicted, eg.reference) for eg in data])
        return np.sum([*watch.counts.values()], axis=0).tolist()

    found = [counts(seed, update) for seed in range(5)]
    assert found == [counts(seed, forward) for seed in range(5)]
    assert len({tuple(one) for one in found}) > 1


@pytest.mark.parametrize(
    ("expected", "low", "high", "said"),
    [
        (MORE, 0.01, 0.03, "yes"),
        (MORE, -0.01, 0.03, "undecided"),
        (MORE, 0.0, 0.03, "undecided"),
        (MORE, -0.03, -0.01, "no"),
        ((0.03, 0.05), 0.031, 0.049, "yes"),
        ((0.03, 0.05), -0.01, 0.028, "no"),
        ((0.03, 0.05), -0.01, 0.035, "undecided"),
        (NO_DIFFERENCE, -0.01, 0.01, "yes"),
        (NO_DIFFERENCE, -0.011, 0.0, "undecided"),
        (NO_DIFFERENCE, 0.011, 0.02, "no"),
        (NO_DIFFERENCE, -0.02, -0.012, "no"),
        (None, 0.01, 0.02, "left open"),
    ],
)
def test_the_two_agree_or_not(expected, low, high, said):
    claim = Claim("a technique", "it helps", "decay", ("paper", "none"), expected)
    effect = Effect(
        *((low + high) / 2, low, high, 0.5, low, "paper", "none"),
        *(Part("all", "all", 9), "macro"),
    )
    assert agreement(claim, effect) == said


def test_every_claim_is_about_arms_that_are_compared():
    for claim in CLAIMS:
        if claim.experiment != STUDY:
            pairs = EXPERIMENTS[claim.experiment].comparisons
            level, against = claim.arms
            assert any(b == against and level in (a, "best") for a, b in pairs), claim


MINUS = "\u2212"


def put(folder, experiment, probabilities, seeds=(0, 1, 2), dev=None):
    """Records of arms that find entities with these probabilities. dev: those on dev."""
    table = gold()
    sets = {"valid": probabilities} | ({"dev": dev} if dev else {})
    for name in sets:
        write(GOLD.dump_json(table), folder / f"gold-train-{name}.json")
    plan = replace(experiment, seeds=seeds, sets=(*sets,), more=None)
    for number, run in enumerate(run for run in plan.runs() if run.arm in probabilities):
        found = {
            name: record(run, {name: table}, of[run.arm], number + 100 * (name == "dev")).sets[name]
            for name, of in sets.items()
        }
        one = replace(record(run, {"valid": table}, 0.5, number), sets=found)
        write(RECORD.dump_json(one), folder / "runs" / f"{run.name}.json")


def test_the_page_over_all_checks_has_what_was_put_in(tmp_path):
    code, said = command("page", tmp_path, "--experiment", "checks")
    assert code == 1
    assert "there are no records of the checks" in said
    put(tmp_path / "decay", EXPERIMENTS["decay"], {"paper": 0.8, "none": 0.5, "linear": 0.8})
    schedules = dict.fromkeys(EXPERIMENTS["schedules"].arms, 0.5)
    put(tmp_path / "schedules", EXPERIMENTS["schedules"], schedules | {"cosine": 0.7}, (0,))
    arms = {name: 0.3 for name, arm in BLENDING.arms.items() if not arm.later}
    arms |= {"none": 0.5, "gated_vectors": 0.7, "gated_vectors_linear": 0.4, "none_linear": 0.4}
    put(tmp_path / "blending", BLENDING, arms)
    # By valid it helps, by dev it harms: the latter counts
    few = {"default": 0.8, "no_blending": 0.5}
    put(tmp_path / "fewnerd", EXPERIMENTS["fewnerd"], few, dev={"default": 0.3, "no_blending": 0.7})
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "conclusions.md").write_text("It decays.\n", encoding="utf-8")
    for name in ("decay", "blending", "checks"):
        folder = tmp_path if name == "checks" else tmp_path / name
        code, said = command("page", folder, "--experiment", name)
        assert code == 0, said
    text = (tmp_path / "checks" / "README.md").read_text(encoding="utf-8")
    assert text.startswith("# The paper's claims, checked\n\nIt decays.\n\n| technique |")
    rows = {cells[1]: cells[2:] for line in text.splitlines()
            if len(cells := [cell.strip() for cell in line.split("|")]) > 3}  # fmt: skip
    assert len(rows) == len(CLAIMS) + 2
    decay = rows["Decaying auxiliary loss with residual, against no auxiliary task"]
    assert decay[1].startswith("+")
    assert decay[3:5] == ["yes", "[3 and 3](../decay/README.md)"]
    of_decay = (tmp_path / "decay" / "README.md").read_text(encoding="utf-8")
    assert decay[1] in of_decay
    schedule = rows["The best schedule of the weight, against no auxiliary task: cosine decay"]
    assert schedule[1].endswith(", single runs")
    assert schedule[3:5] == ["no interval", "[1 and 1](../schedules/README.md)"]
    blending = rows["Triplet blending behind a BiLSTM, against none"]
    assert blending[1].startswith(MINUS)
    assert blending[3] == "no"
    assert rows["The same, by what is said of it alone"][3] == "no"
    best = "The best kind and place of blending, against none: gated, at the vectors"
    assert rows[best][3] == "left open"
    title = "The same: its effect in short sentences less that in long ones: gated, at the vectors"
    of_blending = (tmp_path / "blending" / "README.md").read_text(encoding="utf-8")
    assert rows[title][1] in of_blending
    assert "## Valid part, by sentence" in of_blending
    of_few = rows["Few-NERD: triplet blending, against none"]
    assert (of_few[1][0], of_few[2][0]) == ("+", MINUS)
    assert rows["WNUT-17, without coarse types: CRF and blending, against a linear head"][1:] == [
        *("not run yet", "", "", "", "")
    ]
    html = (tmp_path / "checks" / "page.html").read_text(encoding="utf-8")
    assert 'href="../decay/page.html"' in html


def test_the_dev_part_decides(tmp_path):
    arms = {"paper": 0.8, "none": 0.5}
    for number, (dev, said) in enumerate({0.8: "yes", 0.2: "no"}.items()):
        folder = tmp_path / str(number)
        put(folder / "decay", EXPERIMENTS["decay"], arms, dev=arms | {"paper": dev})
        assert command("page", folder, "--experiment", "checks")[0] == 0
        text = (folder / "checks" / "README.md").read_text(encoding="utf-8")
        (row,) = [x for x in text.splitlines() if x.startswith("| Decaying auxiliary loss")]
        assert row.split("|")[3].strip().startswith("+")
        assert row.split("|")[5].strip() == said


def test_nothing_is_the_best_until_all_have_run(tmp_path):
    put(tmp_path / "schedules", EXPERIMENTS["schedules"], {"none": 0.5, "cosine": 0.7})
    assert command("page", tmp_path, "--experiment", "checks")[0] == 0
    text = (tmp_path / "checks" / "README.md").read_text(encoding="utf-8")
    (row,) = [x for x in text.splitlines() if x.startswith("| The best schedule")]
    assert row.split("|")[1].strip().endswith(": not run yet")
    assert row.split("|")[3].strip() == "not run yet"


def test_the_pooled_figure_is_on_the_page_of_an_arm_that_has_it(tmp_path):
    put(tmp_path, EXPERIMENTS["decay"], {"none": 0.5, "linear": 0.5})
    text = page(tmp_path)
    assert "Strict and pooled" not in text
    for path in (tmp_path / "runs").glob("decay-linear-*.json"):
        one = RECORD.validate_json(path.read_bytes())
        trained = replace(one.trained[-1], on_batches={"Artist": [10_000, 0, 0]})
        write(RECORD.dump_json(replace(one, trained=[trained])), path)
    arm = "| the default's linear decay, 8 epochs | 3 |"
    lines = page(tmp_path).splitlines()
    (row,) = [line for line in lines if line.startswith(arm) and line.count("|") == 7]
    strict, pooled = (float(cell) for cell in row.split("|")[3:5])
    assert strict < 60
    assert pooled > 95


def page(folder):
    code, said = command("page", folder, "--experiment", "decay")
    assert code == 0, said
    return (folder / "README.md").read_text(encoding="utf-8")
