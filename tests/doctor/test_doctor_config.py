"""A trap that is planted in a config is found; the shipped configs have none."""

import pytest
from patients import ROOT, config

from spacy_finegrained_ner.data.forms.record import Options
from spacy_finegrained_ner.doctor.corpora import check_corpora
from spacy_finegrained_ner.doctor.data import read_data
from spacy_finegrained_ner.doctor.learning import check_groups, check_learning
from spacy_finegrained_ner.doctor.length import check_length
from spacy_finegrained_ner.doctor.probe import learning, probe, start
from spacy_finegrained_ner.doctor.run import read_run
from spacy_finegrained_ner.scoring.score_weights import SCORE_WEIGHTS


@pytest.fixture(scope="module")
def data(good):
    return read_data(good, "en", Options())[0]


@pytest.fixture
def look(tmp_path, data, encoder):
    """The findings of a config, by name; with the run."""

    def look(made, batches=True):
        path = tmp_path / "my.cfg"
        made.to_disk(path)
        overrides = {"paths.encoder": str(encoder)} if "encoder" in made["paths"] else {}
        run, found = read_run(path, overrides, None)
        if run is not None:
            if batches:
                run.count_batches(data.train)
            found += [*check_length(run), *check_learning(run), *check_corpora(run, data)]
        return {finding.name: finding for finding in found}, run

    return look


@pytest.mark.parametrize("name", [path.stem for path in sorted(ROOT.glob("configs/*.cfg"))])
def test_the_shipped_configs_have_no_trap(look, name):
    assert look(config(name))[0] == {}


TRAPS = [
    ("schedule-length", {"training__before_update__total_steps": 1600}, "w ends at 0.4, not at"),
    ("schedule-length", {"training__before_update__total_steps": 400}, "after step 400 it stays"),
    ("schedule-length", {"training__before_update__schedule__until": 1.0}, "only with the last"),
    ("schedule-length", {"training__optimizer__learn_rate__total_steps": 8000}, "never comes to"),
    ("schedule-length", {"training__max_epochs": 1}, "max_epochs ends it"),
    ("fixed-weight", {"training__before_update": None}, "w is 0.1 from first to last"),
    ("no-auxiliary", {"components__finegrained_ner__auxiliary": None}, "no auxiliary task"),
    ("config-error", {"training__before_update__component": "ner"}, "not in the pipeline"),
    ("config-error", {"training__batcher__size": 0}, "size of"),
    ("config-error", {"training__optimizer__groups__head__factor": -1.0}, "factor"),
    ("config-error", {"components__finegrained_ner__model__dropout": "much"}, "dropout"),
    ("one-rate", {"training__optimizer__groups": {}}, "one learning rate, 0.0002"),
    ("unusual-rate", {"training__optimizer__learn_rate__rate": 0.05}, "0.05"),
    ("unusual-rate", {"training__optimizer__learn_rate__rate": 1e-7}, "1e-06"),
    ("unusual-rate", {"training__optimizer__groups__head__factor": 1000.0}, "group 'head' is 0.2"),
    # Half of the highest rate on average, over 800 steps: exp(-10 * 800 * 1e-4), of the head's 1e-3
    ("heavy-decay", {"training__optimizer__weight_decay": 10.0}, "of the group 'head' to 0.00033"),
    (
        "heavy-decay",
        {"training__optimizer__groups__head__weight_decay": 10.0},
        "the group 'head' to 0.00033",
    ),
    (
        "heavy-decay",
        {
            "training__optimizer": {
                "@optimizers": "Adam.v1",
                "learn_rate": 1e-4,
                "L2": 10.0,
                "L2_is_weight_decay": True,
            }
        },
        "of what is in no group to 0.45",
    ),
    ("dropout-reaches-nothing", {"training__dropout": 0.4}, "dropout is 0.4"),
    (
        "dropout-reaches-nothing",
        {"components__finegrained_ner__model__dropout": 0.0},
        "the dropout of 'finegrained_ner' is 0",
    ),
    ("short-warm-up", {"training__optimizer__learn_rate__warmup": 0.0}, "has 0 steps"),
    ("short-warm-up", {"training__optimizer__learn_rate": 0.0001}, "has 0 steps"),
    ("long-warm-up", {"training__optimizer__learn_rate__warmup": 0.8}, "639 of 800"),
    (
        "no-evaluation-at-end",
        {"training__eval_frequency": 300, "initialize__before_init": None},
        "at step 600",
    ),
    (
        "no-evaluation-at-end",
        {"training__eval_frequency": 2000, "initialize__before_init": None},
        "at step 0",
    ),
    ("patience", {"training__patience": 10}, "ends the run"),
    ("unreported-score", {"training__score_weights": {"ents_macro": 1.0}}, "ents_macro;"),
    (
        "unreported-score",
        {"training__score_weights": dict.fromkeys(SCORE_WEIGHTS, 0.0)},
        "No score has a weight",
    ),
    ("unreported-score", {"components__finegrained_ner__annotate": "spans"}, "ents_macro_f"),
    ("config-error", {"training__max_stps": 5}, "'max_stps'"),
    ("config-error", {"training__train_corpus": "corpora.trian"}, "'corpora.trian', and there is"),
    ("config-error", {"training__dev_corpus": "corpus"}, "'corpus', and there is no such block"),
    ("config-error", {"training__accumulate_gradient": 0}, "accumulate_gradient"),
    (
        "frozen-listener",
        {"components__finegrained_ner__model__tok2vec__grad_factor": 0.0},
        "the encoder learns nothing",
    ),
    ("frozen-listener", {"training__frozen_components": ["transformer"]}, "not initialized"),
    ("frozen-listener", {"training__frozen_components": ["finegrained_ner"]}, "learns nothing"),
    ("config-error", {"training__frozen_components": ["trf"]}, "'trf' in frozen_components"),
    ("tiny-batches", {"training__batcher__size": 1}, "have one text"),
    ("tiny-batches", {"training__batcher__max_padded": 8}, "have one text"),
    ("dev-is-train", {"paths__train": "a.spacy", "paths__dev": "./a.spacy"}, "are both a.spacy"),
    ("gold-preproc", {"corpora__train__gold_preproc": True}, "for train"),
    ("left-out-texts", {"corpora__train__limit": 10}, "texts out"),
    ("left-out-texts", {"corpora__dev__max_length": 5}, "longer texts"),
    ("less-than-an-epoch", {"training__max_steps": 1}, "not all texts"),
]


@pytest.mark.parametrize(
    ("name", "changes", "said"), TRAPS, ids=[f"{x[0]}-{i}" for i, x in enumerate(TRAPS)]
)
def test_a_trap_is_found(look, name, changes, said):
    found, _ = look(config("default", **changes))
    assert name in found
    assert said in found[name].what
    assert found[name].do


@pytest.mark.parametrize("decay", [{"@schedules": "constant.v1", "rate": 10.0}, -1e6, 0.0])
def test_a_decay_of_which_nothing_is_said(look, decay):
    adam = {"@optimizers": "Adam.v1", "learn_rate": 1e-4, "L2": decay, "L2_is_weight_decay": True}
    assert "heavy-decay" not in look(config("default", training__optimizer=adam))[0]


def test_the_decay_of_a_long_run_is_that_of_its_beginning(look):
    changes = {"training__optimizer__weight_decay": 1.0, "training__max_steps": 40_000}
    said = look(config("default", **changes))[0]["heavy-decay"].what
    assert "over the first 20,000 steps" in said


def test_a_run_without_an_end_is_found(look):
    """The default's schedules refuse one."""
    assert "config-error" in look(config("default", training__max_steps=0))[0]
    changes = {"training__max_steps": 0, "training__before_update": None}
    changes |= {"training__optimizer__learn_rate": 0.001, "initialize__before_init": None}
    assert "no-end" in look(config("tok2vec", **changes))[0]


def test_labels_of_the_first_100_texts(look, data):
    made = config("default", training__max_epochs=-1)
    assert "first-100-texts" not in look(made)[0]  # they have all
    for doc in data.train[:100]:
        kept = [ent for ent in doc.ents if ent.label_ != "Drink"]
        doc.set_ents(kept, default="outside")
    try:
        assert "Drink" in look(made)[0]["first-100-texts"].what
        labels = {"finegrained_ner": {"labels": ["Athlete", "Drink", "Station"]}}
        made["initialize"]["components"] = labels
        assert "first-100-texts" not in look(made)[0]
    finally:
        data.parts["train"].docs = data.parts["train"].docs[100:]


def test_an_encoder_frozen_by_the_callback_needs_no_warm_up(look):
    freeze = {"@callbacks": "spacy-finegrained-ner.freeze.v1"}
    changes = {"training__optimizer__learn_rate": 0.001, "training__before_update": freeze}
    assert set(look(config("default", **changes))[0]) == {"fixed-weight"}


def test_groups_and_the_probe(look, data):
    made = config("default", training__optimizer__groups__haed={"pattern": r"^haed\."})
    _, run = look(made)
    nlp, failed = start(run, data)
    assert failed == []
    names = [*learning(nlp, [])]
    (found,) = check_groups(run, names)
    assert found.name == "group-without-parameters"
    assert "'haed'" in found.what
    assert "head." in found.do
    estimate, failed = probe(run, nlp, data)
    assert failed == []
    sizes = {
        id(p): p.numel()
        for name in nlp.pipe_names
        for node in nlp.get_pipe(name).model.walk()
        for shim in node.shims
        for p in shim._model.parameters()
    }
    assert estimate.parameters == sum(sizes.values())
    assert estimate.steps == 800
    evaluations = 1 + 800 // nlp.config["training"]["eval_frequency"]
    assert estimate.seconds == pytest.approx(
        800 * estimate.step + evaluations * estimate.evaluation
    )


def test_what_does_not_start_is_told(look, data):
    _, run = look(config("default", components__transformer__model__layers=30))
    nlp, (found,) = start(run, data)
    assert nlp is None
    assert found.name == "does-not-start"
    assert "at most 2" in found.what
