"""What a component asks of its settings."""

from inspect import signature
from typing import Any

from thinc.api import Model

from spacy_finegrained_ner.pipeline.auxiliary import AuxiliaryTask
from spacy_finegrained_ner.settings import Part, check


def check_settings(
    name: str, model: Any, auxiliary: Any, auxiliary_weight: Part, scorer: Any
) -> None:
    """A ValueError that names the setting. name: of the component."""
    check(f"'{name}'", check_settings, {"auxiliary_weight": auxiliary_weight})
    if auxiliary is not None and not isinstance(auxiliary, AuxiliaryTask):
        raise ValueError(
            f"auxiliary of '{name}' is {auxiliary!r}, expected an auxiliary task such as "
            "spacy-finegrained-ner.CoarseTask.v1, or null."
        )
    if scorer is not None:
        _check_scorer(scorer, name)
    _check_model(model, name)


def _check_scorer(scorer: Any, name: str) -> None:
    """A ValueError for one that can't be called as it will be after the first step of a training:
    spaCy hands over all that the component has saved."""
    given = ("read", "prefix", "labels", "taxonomy", "annotate", "temperatures")
    try:
        signature(scorer).bind([], **dict.fromkeys(given))
    except TypeError as error:
        raise ValueError(
            f"scorer of '{name}' is {scorer!r}, which can't be called with Examples and the "
            f"keywords {', '.join(given)}: {error}. Expected a function that takes **kwargs."
        ) from None
    except ValueError:  # not written in Python
        return


def _check_model(model: Any, name: str) -> None:
    """A ValueError where the model lacks what the component asks of it."""
    found = model.ref_names if isinstance(model, Model) else None
    if found is None or not {"tok2vec", "tagger"} <= set(found):
        raise ValueError(
            f"The model of '{name}' is a {type(model).__name__} with the refs {found}, expected a "
            "thinc model with the refs 'tok2vec' (from Docs to vectors of tokens) and 'tagger' "
            "(from those to scores), as spacy-finegrained-ner.Tagger.v1 makes it."
        )
    dims = model.get_ref("tagger").dim_names
    if not {"nO", "nA"} <= set(dims):
        raise ValueError(
            f"The ref 'tagger' of the model of '{name}' has the dims {dims}, expected nO (number "
            "of fine tags) and nA (number of tags of the auxiliary task) among them."
        )
