"""Registered names: the table of pyproject.toml, what is installed, and what spaCy resolves."""

import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import spacy
from spacy.util import registry

ROOT = Path(__file__).parents[1]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]

PUBLIC = {
    ("spacy_factories", "crf_ner"),
    ("spacy_factories", "finegrained_llm"),
    ("spacy_factories", "finegrained_ner"),
    ("spacy_architectures", "spacy-finegrained-ner.Tagger.v1"),
    ("spacy_architectures", "spacy-finegrained-ner.Tok2VecTransformerLayers.v1"),
    ("spacy_architectures", "spacy-finegrained-ner.TransformerLayers.v1"),
    ("spacy_architectures", "spacy-finegrained-ner.TransformerListener.v1"),
    ("spacy_callbacks", "spacy-finegrained-ner.freeze.v1"),
    ("spacy_readers", "spacy-finegrained-ner.ConllCorpus.v1"),
    ("spacy_readers", "spacy-finegrained-ner.Corpus.v1"),
    ("spacy_readers", "spacy-finegrained-ner.Taxonomy.v1"),
    ("spacy_readers", "spacy-finegrained-ner.Taxonomy.v2"),
    ("spacy_tokenizers", "spacy-finegrained-ner.LanguageTokenizer.v1"),
    ("spacy_scorers", "spacy-finegrained-ner.scorer.v1"),
    ("spacy_batchers", "spacy-finegrained-ner.batch_by_length.v1"),
    ("spacy_misc", "spacy-finegrained-ner.wordpieces.v1"),
    ("spacy_misc", "spacy-finegrained-ner.paper_decay.v1"),
    ("spacy_misc", "spacy-finegrained-ner.linear_decay.v1"),
    ("spacy_misc", "spacy-finegrained-ner.exponential_decay.v1"),
    ("spacy_misc", "spacy-finegrained-ner.cosine_decay.v1"),
    ("spacy_misc", "spacy-finegrained-ner.step_decay.v1"),
    ("spacy_misc", "spacy-finegrained-ner.constant.v1"),
    ("spacy_callbacks", "spacy-finegrained-ner.auxiliary_weight.v1"),
    ("spacy_callbacks", "spacy-finegrained-ner.chain.v1"),
    ("spacy_callbacks", "spacy-finegrained-ner.evaluations.v1"),
    ("spacy_loggers", "spacy-finegrained-ner.logger.v1"),
    ("spacy_displacy_colors", "spacy-finegrained-ner.multiconer2.v1"),
    ("spacy_cli", "finegrained-ner"),
    ("thinc_optimizers", "spacy-finegrained-ner.AdamW.v1"),
    ("thinc_schedules", "spacy-finegrained-ner.warmup_linear.v1"),
    ("thinc_layers", "spacy-finegrained-ner.BiLSTM.v1"),
    ("thinc_layers", "spacy-finegrained-ner.blend_average.v1"),
    ("thinc_layers", "spacy-finegrained-ner.blend_concatenate.v1"),
    ("thinc_layers", "spacy-finegrained-ner.blend_gated.v1"),
    ("thinc_layers", "spacy-finegrained-ner.names.v1"),
    ("thinc_losses", "spacy-finegrained-ner.additive.v1"),
    ("thinc_losses", "spacy-finegrained-ner.interpolated.v1"),
    ("spacy_misc", "spacy-finegrained-ner.CoarseTask.v1"),
    ("spacy_misc", "spacy-finegrained-ner.MentionTask.v1"),
    ("spacy_misc", "spacy-finegrained-ner.PosTask.v1"),
    ("thinc_llm_tasks", "spacy-finegrained-ner.NER.v1"),
    ("spacy_misc", "spacy-finegrained-ner.FixedExamples.v1"),
    ("spacy_misc", "spacy-finegrained-ner.NearestExamples.v1"),
}
"""Names that configs out there may hold: one is added or dropped here on purpose only."""


def test_the_public_names_are_these():
    assert {(group, name) for group, names in DECLARED.items() for name in names} == PUBLIC


def test_what_is_installed_is_what_is_declared():
    installed = {
        (entry.group, entry.name, entry.value)
        for entry in distribution("spacy-finegrained-ner").entry_points
    }
    declared = {
        (group, name, value) for group, names in DECLARED.items() for name, value in names.items()
    }
    assert installed == declared, "install the project again: pip install -e ."


OF_OTHERS = {
    ("spacy_cli", "finegrained-ner"),
    # spacy-llm has this registry, and is not installed here
    ("thinc_llm_tasks", "spacy-finegrained-ner.NER.v1"),
}


@pytest.mark.parametrize(("group", "name"), sorted(PUBLIC - OF_OTHERS))
def test_spacy_finds_it_by_name(group, name):
    if group == "spacy_factories":
        assert spacy.blank("en").has_factory(name)
    else:
        assert callable(getattr(registry, group.split("_", 1)[1]).get(name))


def test_displacy_gets_the_colors():
    colors = registry.displacy_colors.get("spacy-finegrained-ner.multiconer2.v1")
    assert colors()["Scientist"].startswith("#")


def test_the_factory_is_there_without_an_import():
    code = (
        "import sys, spacy; nlp = spacy.blank('en');"
        "heavy = [m for m in sys.modules if m.startswith('spacy_finegrained_ner.')];"
        "assert not [m for m in heavy if m.split('.')[1] in ('ml', 'nn', 'cli', 'data')], heavy;"
        "assert nlp.has_factory('finegrained_ner') and nlp.has_factory('crf_ner');"
        "assert 'pycrfsuite' not in sys.modules, 'heavy';"
        "assert 'tenacity' not in sys.modules, 'heavy';"
        "assert 'spacy_finegrained_ner.baselines.crf.component' not in sys.modules, 'heavy';"
        "assert 'spacy_finegrained_ner.baselines.llm.component' not in sys.modules, 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_is_a_part_of_spacys():
    done = subprocess.run(
        [sys.executable, "-m", "spacy", "finegrained-ner", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for verb in (
        "fetch-encoder",
        "init-config",
        "init-taxonomy",
        "convert",
        "evaluate",
        "meta",
        "show",
    ):
        assert verb in done.stdout


@pytest.mark.parametrize("factory", ["crf_ner", "finegrained_llm", "finegrained_ner"])
def test_the_default_config_of_the_factory_is_json(factory):
    import srsly

    config = spacy.blank("en").get_factory_meta(factory).default_config
    assert srsly.json_loads(srsly.json_dumps(config)) == config
