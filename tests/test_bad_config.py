"""Every setting of every registered function, with wrong values of several kinds: the error says
which setting of which block it is about. What passes is listed here, with the reason."""

import inspect
from importlib.metadata import version

import pytest
import spacy
from catalogue import RegistryError
from pipelines import HASH_EMBED
from spacy.util import registry
from test_entry_points import PUBLIC
from thinc.api import ConfigValidationError

PREFIX = "spacy-finegrained-ner."
SPANS = {"@span_getters": "spacy-transformers.doc_spans.v1"}
ENCODER = {"name": "unread", "get_spans": SPANS, "layers": 1, "combine": "average"}
REQUIRED = {
    "Tagger.v1": {"tok2vec": HASH_EMBED["tok2vec"]},
    "TransformerLayers.v1": ENCODER,
    "Tok2VecTransformerLayers.v1": ENCODER | {"pooling": {"@layers": "reduce_mean.v1"}},
    "TransformerListener.v1": {"pooling": {"@layers": "reduce_mean.v1"}},
    "ConllCorpus.v1": {"path": "unread"},
    "Corpus.v1": {"path": "unread"},
    "batch_by_length.v1": {"size": 4},
    "constant.v1": {"weight": 0.5},
    "wordpieces.v1": {"name": "unread"},
    "auxiliary_weight.v1": {"schedule": {"@misc": PREFIX + "linear_decay.v1"}, "total_steps": 9},
    "chain.v1": {"callbacks": {"a": {"@callbacks": PREFIX + "freeze.v1"}}},
    "evaluations.v1": {"evaluations": 4},
    "AdamW.v1": {"learn_rate": 0.1},
    "NearestExamples.v1": {"encoder": HASH_EMBED["tok2vec"]},
    "warmup_linear.v1": {"rate": 0.1, "warmup": 0.1, "total_steps": 9},
}
"""Settings without a default."""

NAN, INF = float("nan"), float("inf")
needs_strict_confection = pytest.mark.skipif(
    version("confection").startswith("0."),
    reason="makes what it can of a value before our code sees it: '3' and 3.5 are 3",
)

NUMBERS = {"0": 0, "-1": -1, "-0.5": -0.5, "1.5": 1.5, "huge": 10**30, "nan": NAN, "inf": INF}
TYPES = {
    "text": "wrong",
    "empty text": "",
    "number": 7,
    "fraction": 0.5,
    "quoted number": "3",
    "true": True,
    "list": [1],
    "empty list": [],
    "block": {"a": 1},
    "empty block": {},
    "null": None,
}
WRONG = NUMBERS | TYPES

TEXTS = {"text", "empty text", "quoted number"}
POSITIVE = {"number", "fraction", "1.5", "huge"}  # no bound is known before the data
COUNT = {"number", "huge"}
PART = {"0", "fraction"}
BLOCK = {"block", "empty block"}  # passed on to transformers or torch as they are
FINE = {
    "Tagger.v1": {
        "dropout": PART,
        "sequence": {"null"},
        "blending": {"null"},
        "knowledge": {"null"},
    },
    "names.v1": {
        "path": TEXTS | {"null"},  # read later
        "inside": {"true"},
        "width": COUNT,
        **dict.fromkeys(("common", "hide", "hide_text", "replace", "invent"), PART),
        **dict.fromkeys(("hide_topics", "blur"), PART),
    },
    "BiLSTM.v1": {"width": {"huge", "null"}, "layers": COUNT, "dropout": PART},
    "blend_concatenate.v1": {"window": COUNT},
    "blend_average.v1": {"window": COUNT, "learned": {"true"}},
    "blend_gated.v1": {"window": COUNT},
    "TransformerLayers.v1": {
        "name": TEXTS,
        "layers": COUNT,
        "max_batch_wordpieces": COUNT | {"null"},
        "tokenizer_config": BLOCK,
        "transformer_config": BLOCK,
        "mixed_precision": {"true"},
        "grad_scaler_config": {"empty block"},
    },
    "TransformerListener.v1": {"grad_factor": POSITIVE | {"0", "-1", "-0.5"}, "upstream": TEXTS},
    "interpolated.v1": {"scale": POSITIVE},
    "additive.v1": {"scale": POSITIVE},
    "AdamW.v1": {
        **dict.fromkeys(("learn_rate", "weight_decay", "eps", "grad_clip"), POSITIVE | {"0"}),
        "beta1": PART,
        "beta2": PART,
        "groups": {"null", "empty block"},
        "layer_decay": {"null"},
        "lazy": {"true"},
    },
    "warmup_linear.v1": {"rate": POSITIVE | {"0"}, "warmup": PART, "total_steps": COUNT},
    "batch_by_length.v1": {
        "size": {"number"},
        "buffer": COUNT,
        "max_padded": COUNT | {"0"},
        "get_length": {"null"},
    },
    "wordpieces.v1": {"name": TEXTS, "tokenizer_config": BLOCK | {"null"}},  # read later
    # The pipeline is not known yet: the first step says what is in it.
    "auxiliary_weight.v1": {"total_steps": COUNT, "component": TEXTS},
    "freeze.v1": {
        "component": TEXTS,
        "layers": COUNT | {"0", "null"},
        "until": {"null"},
        "total_steps": COUNT | {"0", "-1"},  # not read, where until is null
    },
    "chain.v1": {"callbacks": {"empty block"}},
    "evaluations.v1": {"evaluations": COUNT},
    "paper_decay.v1": {"epochs": COUNT, "residual": PART},
    "linear_decay.v1": {"start": PART, "residual": PART, "until": {"fraction"}},
    "exponential_decay.v1": {key: {"fraction"} for key in ("start", "residual", "until")},
    "cosine_decay.v1": {"start": PART, "residual": PART, "until": {"fraction"}},
    "step_decay.v1": {"start": PART, "residual": PART, "until": {"fraction"}, "steps": COUNT},
    "constant.v1": {"weight": PART},
    "FixedExamples.v1": {"number": COUNT | {"0"}, "seed": COUNT | {"0", "-1"}},
    "NearestExamples.v1": {"number": COUNT},
    "logger.v1": {
        "progress_bar": {"null"},
        "console_output": {"true"},
        "output_file": TEXTS | {"null"},
    },
    "ConllCorpus.v1": {"path": TEXTS, "limit": COUNT | {"0"}},  # read later
    "Corpus.v1": {
        "path": TEXTS,
        "limit": COUNT | {"0"},
        "scheme": {"null"},
        "tag_column": TEXTS | {"0", "-1", "number", "huge", "null"},  # what there is, is read later
        "tag_names": {"null"},
        "encoding": {"null"},
    },
    # A file that is not there is an error of the component, unless it was saved
    "Taxonomy.v1": {"path": {"text", "quoted number", "null"}},
    "Taxonomy.v2": {"path": {"text", "quoted number", "null"}},
    # spaCy fills what a block leaves out from the default config.
    "finegrained_ner": {
        "auxiliary": {"null", "empty block"},
        "auxiliary_weight": PART,
        "loss": {"empty block"},
        "scorer": {"null", "empty block"},
    },
}
FINE["Tok2VecTransformerLayers.v1"] = FINE["TransformerLayers.v1"] | {
    "grad_factor": POSITIVE | {"0", "-1", "-0.5"}
}

FUNCTIONS = sorted(
    (group.split("_", 1)[1], name)
    for group, name in PUBLIC
    if group not in ("spacy_factories", "spacy_cli", "spacy_displacy_colors", "thinc_llm_tasks")
)
SETTINGS = [
    (kind, name, setting)
    for kind, name in FUNCTIONS
    for setting in inspect.signature(getattr(registry, kind).get(name)).parameters
]


def resolve(kind: str, name: str, settings: dict | None = None):
    block = {f"@{kind}": name} | REQUIRED.get(name.removeprefix(PREFIX), {}) | (settings or {})
    return registry.resolve({"block": block})


def errors(name: str, setting: str, make) -> list[str]:
    """What is wrong with the errors for wrong values: none where there should be one, one where
    there should be none, or one that names neither setting nor block."""
    fine = FINE.get(name.removeprefix(PREFIX), {}).get(setting, set())
    found = []
    for kind, value in WRONG.items():
        try:
            make(value)
            message = None
        except ConfigValidationError as error:
            message = str(error)
            named = f"-> {setting}" in message or f".{setting}" in message
        except TypeError as error:  # thinc's, for a setting of its own
            message = str(error)
            named = "PyTorchGradScaler" in message and "argument 'a'" in message
        except ValueError as error:
            message = str(error)
            places = (name, f".{setting}]", "[E961]")  # the last prints the whole config
            named = setting in message and any(place in message for place in places)
            named = named or ("Taxonomy." in name and "taxonomy file" in message)
        if (message is None) != (kind in fine):
            found.append(f"{kind}: {message or 'no error'}")
        elif message is not None and not named:
            found.append(f"{kind}: not named in: {message}")
    return found


def test_the_blocks_are_right_but_for_one_setting():
    for kind, name in FUNCTIONS:
        resolve(kind, name)


@needs_strict_confection
@pytest.mark.parametrize(("kind", "name", "setting"), SETTINGS)
def test_a_wrong_value_is_an_error_that_names_the_setting(kind, name, setting):
    assert errors(name, setting, lambda value: resolve(kind, name, {setting: value})) == []


@pytest.mark.parametrize(("kind", "name"), FUNCTIONS)
def test_an_unknown_setting_is_named(kind, name):
    with pytest.raises(ConfigValidationError, match=r"no_such_setting"):
        resolve(kind, name, {"no_such_setting": 1})


NLP = spacy.blank("en")


@needs_strict_confection
@pytest.mark.parametrize("setting", ["auxiliary", "auxiliary_weight", "loss", "scorer"])
def test_a_wrong_value_in_the_component(setting):
    def make(value):
        NLP.create_pipe("finegrained_ner", config={"model": HASH_EMBED, setting: value})

    assert errors("finegrained_ner", setting, make) == []


def test_an_unknown_function_is_named_with_those_that_there_are():
    with pytest.raises(RegistryError, match=r"(?s)blend_mean\.v1.*blend_average\.v1"):
        resolve("layers", PREFIX + "blend_mean.v1")
