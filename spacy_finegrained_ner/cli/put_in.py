"""Our component in somebody's own config, on the encoder that is there."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from spacy.util import get_sourced_components, load_config, load_model_from_config
from thinc.api import Config, ConfigValidationError

from spacy_finegrained_ner.cli.configs import bilstm
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.scoring.score_weights import SCORE_WEIGHTS

NAME = "finegrained_ner"
SPACYS = ("ner", "beam_ner")
TRANSFORMERS = ("transformer", "curated_transformer")
STOCK_LISTENER = "spacy-transformers.TransformerListener.v1"
OUR_LISTENER = "spacy-finegrained-ner.TransformerListener.v1"


def put_in(
    source: Path, taxonomy: str | None = None, width: int | None = None, *, beside: bool = False
) -> tuple[str, str, list[str]]:
    """Put our component in place of `ner`, or beside it. RETURNS: the text of the config without
    and with it, both complete, and what else is to be said.

    source: a config of spaCy, be it complete or not; what it leaves out is filled in. beside: `ner`
    stays, and ours writes a span group. taxonomy: the name of a packaged one or a file; None for
    flat labels. width: of a BiLSTM in the head, both directions together; None or 0 for none.

    Raises a `UserError` that says what is wrong.
    """
    try:
        config = load_config(source, interpolate=False)
    except (ValueError, OSError) as error:  # of thinc and of spaCy
        raise UserError(f"{source}: can't be read as a config: {error}") from None
    try:
        nlp = load_model_from_config(config, auto_fill=True)
        after = copy.deepcopy(nlp.config)
        factories = {name: nlp.get_pipe_meta(name).factory for name in nlp.component_names}
        notes = _put(after, factories, beside, taxonomy, width)
        filled = load_model_from_config(_as_sourced(after, config), auto_fill=True).config
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    except (ValueError, OSError, ImportError, ConfigValidationError) as error:
        raise UserError(f"{source}: no pipeline can be made of it: {error}") from None
    old, new = (_as_sourced(each, config).to_str() for each in (nlp.config, filled))
    return old, new, notes


def _as_sourced(config: Config, original: Config) -> Config:
    """With components from other pipelines as it had them: `source = ...`."""
    config = copy.deepcopy(config)
    for name, block in get_sourced_components(original).items():
        if name in config["components"]:
            config["components"][name] = block
    return config


def _put(
    config: Config, factories: dict[str, str], beside: bool, taxonomy: str | None, width: int | None
) -> list[str]:
    """Change the config. RETURNS: what else is to be said."""
    pipeline: list[str] = config["nlp"]["pipeline"]
    if NAME in config["components"] or NAME in factories.values():
        raise UserError(
            f"a {NAME} is there already. If it has no encoder, write a complete config: "
            "init-config without --into."
        )
    theirs = [name for name in pipeline if factories[name] in SPACYS]
    beside = beside and bool(theirs)
    block = _tok2vec(config, factories, theirs)
    pipeline.insert(pipeline.index(theirs[-1]) + 1 if theirs else len(pipeline), NAME)
    config["components"][NAME] = {
        "factory": NAME,
        "annotate": "spans" if beside else "overwrite",
        "model": {
            "@architectures": "spacy-finegrained-ner.Tagger.v1",
            "sequence": bilstm(width) if width else None,
            "tok2vec": block,
        },
    }
    config["paths"]["taxonomy"] = taxonomy
    config["initialize"]["components"][NAME] = {
        "taxonomy": {"@readers": "spacy-finegrained-ner.Taxonomy.v2", "path": "${paths.taxonomy}"}
    }
    weights = config["training"]["score_weights"]
    share = sum(w or 0 for name, w in weights.items() if name.startswith("ents_")) or 1.0
    if beside:  # its scores stay, and the two choose the model together
        half = {name: w and w / 2 for name, w in weights.items() if name.startswith("ents_")}
        # What the factory has by itself is of doc.ents, which ours does not write here
        weights = dict.fromkeys(SCORE_WEIGHTS) | weights | half
        weights[f"spans_{NAME}_macro_f"] = share / 2
    else:
        for name in theirs:
            _drop(config, name)
        weights = {name: w for name, w in weights.items() if not name.startswith("ents_")}
        weights |= {name: w and w * share for name, w in SCORE_WEIGHTS.items()}
    config["training"]["score_weights"] = weights
    return _fast_head(config) if {*TRANSFORMERS} & {*factories.values()} else []


def _drop(config: Config, name: str) -> None:
    """A component, and what is said of it elsewhere."""
    config["nlp"]["pipeline"].remove(name)
    del config["components"][name]
    config["initialize"]["components"].pop(name, None)
    training = config["training"]
    lists = [training["frozen_components"], training["annotating_components"]]
    for names in (config["nlp"]["disabled"], *lists):
        if name in names:
            names.remove(name)


def _tok2vec(config: Config, factories: dict[str, str], theirs: list[str]) -> dict[str, Any]:
    """What the head gets its vectors from: what `ner` has, or else another component."""
    models = [config["components"][name].get("model", {}) for name in [*theirs, *factories]]
    blocks = [model["tok2vec"] for model in models if "tok2vec" in model]
    encoders = [
        name for name in config["nlp"]["pipeline"] if factories[name] in (*TRANSFORMERS, "tok2vec")
    ]
    if not encoders and not (theirs and blocks):
        raise UserError(
            f"the pipeline {config['nlp']['pipeline']} has no transformer and no tok2vec "
            "for the head to listen to. Write a complete config: init-config without --into."
        )
    if blocks:
        block = copy.deepcopy(blocks[0])
    elif factories[encoders[-1]] == "transformer":
        block = {"@architectures": OUR_LISTENER, "pooling": {"@layers": "reduce_mean.v1"}}
    else:
        raise UserError(
            f"no component listens to {encoders[-1]!r} yet, so it can't be seen how. Add "
            "a ner that does (spacy init config shows how), and put ours in its place."
        )
    if block["@architectures"] == STOCK_LISTENER:
        block["@architectures"] = OUR_LISTENER  # the same settings; faster on a GPU
    return block


def _fast_head(config: Config) -> list[str]:
    """Our AdamW with the settings of thinc's Adam, and ten times the encoder's rate for the head:
    at the same rate it does not learn what it can."""
    theirs = config["training"]["optimizer"]
    if (
        theirs.get("@optimizers") != "Adam.v1"
        or theirs.get("use_averages")
        or not theirs.get("L2_is_weight_decay", True)
    ):
        return [
            "The optimizer is left as it is. Let the head have ten times the rate of the encoder: "
            "the names of its parameters begin with 'head.'"
        ]
    config["training"]["optimizer"] = {
        "@optimizers": "spacy-finegrained-ner.AdamW.v1",
        **{key: theirs[key] for key in ("beta1", "beta2", "eps", "grad_clip") if key in theirs},
        "weight_decay": theirs.get("L2", 0.0),
        "learn_rate": theirs["learn_rate"],
        "groups": {"head": {"pattern": r"^head\.", "factor": 10.0}},
    }
    return []
