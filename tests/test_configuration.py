"""docs/configuration.md against the registered functions: every setting, every default."""

import inspect
import re
from pathlib import Path

import pytest
from spacy.util import registry
from test_entry_points import PUBLIC

TEXT = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text(encoding="utf-8")
SECTIONS = {
    name: (kind, body)
    for kind, name, body in re.findall(
        r'^### `@(\w+) = "(.+?)"`\n(.*?)(?=^##|\Z)', TEXT, re.MULTILINE | re.DOTALL
    )
}
# Made by replace_listeners, not written by hand
OWN_SECTION_NOT_NEEDED = {
    "spacy-finegrained-ner.Tok2VecTransformerLayers.v1",
    "spacy-finegrained-ner.multiconer2.v1",
    "spacy-finegrained-ner.NER.v1",  # of spacy-llm, in docs/llm.md
}


def rows(body: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", body, re.MULTILINE))


def as_written(default) -> str:
    if default is inspect.Parameter.empty:
        return "required"
    if default is None or isinstance(default, bool):
        return {None: "null", True: "true", False: "false"}[default]
    if isinstance(default, str):
        return f'`"{default}"`'
    return "{}" if isinstance(default, dict) else str(default)


def test_every_public_name_has_a_section():
    names = {name for _, name in PUBLIC if name.startswith("spacy-finegrained-ner.")}
    assert set(SECTIONS) == names - OWN_SECTION_NOT_NEEDED


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_its_table_has_the_settings_and_defaults_of_the_function(name):
    kind, body = SECTIONS[name]
    parameters = inspect.signature(getattr(registry, kind).get(name)).parameters
    expected = {key: as_written(parameter.default) for key, parameter in parameters.items()}
    assert rows(body) == expected


def test_the_settings_of_the_factory():
    import spacy

    body = TEXT.split("## The component")[1].split("\n## ")[0]
    config = spacy.blank("en").get_factory_meta("finegrained_ner").default_config
    assert set(rows(body)) == set(config)
    assert rows(body)["auxiliary_weight"] == str(config["auxiliary_weight"])
    for key in ("auxiliary", "loss", "scorer"):
        (registered,) = (v for k, v in config[key].items() if k.startswith("@"))
        assert rows(body)[key] == f"`{registered.removeprefix('spacy-finegrained-ner.')}`"


def test_the_settings_of_the_crf_baseline():
    import spacy

    _, component, features = re.split(
        r"^\| setting .*\n",
        TEXT.split("## The CRF baseline")[1].split("\n## ")[0],
        flags=re.MULTILINE,
    )
    config = spacy.blank("en").get_factory_meta("crf_ner").default_config
    assert rows(features) == {key: as_written(value) for key, value in config["features"].items()}
    blocks = dict.fromkeys(("features", "extensions", "written"), "a block")
    blocks["scorer"] = "`scorer.v1`"
    assert rows(component) == {key: blocks.get(key) or as_written(config[key]) for key in config}


def test_the_settings_of_the_language_model():
    import spacy

    text = re.split("\n###? ", TEXT.split("## The language model")[1])[0]
    component, *of_blocks = re.split(r"^\| setting .*\n", text, flags=re.MULTILINE)[1:]
    config = spacy.blank("en").get_factory_meta("finegrained_llm").default_config
    names = ("request", "limits", "budget", "prices")
    blocks = dict.fromkeys((*names, "extensions"), "a block")
    blocks |= {"examples": "`FixedExamples.v1`", "scorer": "`scorer.v1`"}
    blocks |= {"url": "required", "model": "required"}
    settings = ["url", "model", *config]
    assert rows(component) == {k: blocks.get(k) or as_written(config[k]) for k in settings}
    for name, block in zip(names, of_blocks, strict=True):
        assert rows(block) == {key: as_written(value) for key, value in config[name].items()}
