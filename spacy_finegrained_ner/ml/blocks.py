"""The exchangeable parts of the tagger, by name in the config (registry `layers`)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import dumps
from typing import Annotated, Any, Literal

from pydantic import Field
from torch import nn

from spacy_finegrained_ner.knowledge.found import Noise
from spacy_finegrained_ner.ml.knowledge import Knowledge
from spacy_finegrained_ner.nn.bilstm import BiLSTM
from spacy_finegrained_ner.nn.blending import Average, Concatenate, Gated
from spacy_finegrained_ner.settings import Count, Part, PartBelowOne, Switch, check, checked

Place = Annotated[
    Literal["vectors", "sequence", "emissions"], "one of 'vectors', 'sequence', 'emissions'"
]
FileName = Annotated[str | Path, "a path"]
Even = Annotated[int, Field(ge=2, multiple_of=2), "an even number (two directions) >= 2"]


@dataclass(frozen=True)
class Blending:
    """A kind of blending and its place. build: makes the layer for vectors of a width.

    Raises a ValueError for a place that is none: the model would have no blending at all.
    """

    build: Callable[[int], nn.Module]
    place: Place

    def __post_init__(self) -> None:
        check("a blending", Blending, {"place": self.place})
        if not callable(self.build):
            raise ValueError(
                f"build of a blending is {self.build!r}, expected a function of the width of the "
                "vectors that gives a torch.nn.Module."
            )


def check_pickles(name: str, block: Any) -> None:
    """A ValueError for what can't be pickled. name: of the setting.

    What a file given by `--code` has is left alone: no import finds the module that spaCy makes of
    it, or it finds another one, so that no part of it can be pickled.
    """
    try:
        dumps(block)
    except Exception as error:
        if "import of module" in str(error) or "not the same object" in str(error):
            return
        raise ValueError(
            f"{name} can't be pickled, which workers of nlp.pipe need: {error}. Expected classes "
            "and functions at the top level of a module, or partials of them; no lambda or inner "
            "function."
        ) from None


@checked("spacy-finegrained-ner.blend_concatenate.v1")
def build_concatenate_v1(window: Count = 1, place: Place = "sequence") -> Blending:
    """Registered as `spacy-finegrained-ner.blend_concatenate.v1`: [current ; previous ; next], the
    paper's triplet blending. The parameters are the same for all kinds of blending.

    window: neighbours to each side. At the ends a token stands in for a missing neighbour.
    place: on the encoder's "vectors", on the output of the "sequence" layer (as the paper's code),
        or on the "emissions" (where what is concatenated is projected back to the tags).
    """
    return Blending(partial(Concatenate, window=window), place)


@checked("spacy-finegrained-ner.blend_average.v1")
def build_average_v1(
    window: Count = 1, place: Place = "sequence", learned: bool = False
) -> Blending:
    """Registered as `spacy-finegrained-ner.blend_average.v1`: half the token, half its neighbours
    (0.25 / 0.5 / 0.25 for a window of 1). learned: the weights are learned from there on.

    A linear layer commutes with an average: its place makes no difference between "sequence" and
    "emissions", unless the weights are learned beside an auxiliary task: one set of them for both
    tasks, or one for each.
    """
    return Blending(partial(Average, learned=learned, window=window), place)


@checked("spacy-finegrained-ner.blend_gated.v1")
def build_gated_v1(window: Count = 1, place: Place = "sequence") -> Blending:
    """Registered as `spacy-finegrained-ner.blend_gated.v1`: an average whose weights each token
    computes from itself and its neighbours; it starts as that of `blend_average`."""
    return Blending(partial(Gated, window=window), place)


@checked("spacy-finegrained-ner.BiLSTM.v1")
def build_bilstm_v1(
    width: Even | None = None, layers: Count = 1, dropout: PartBelowOne = 0.0
) -> Callable[[int], nn.Module]:
    """Registered as `spacy-finegrained-ner.BiLSTM.v1`: bidirectional LSTM, then leaky ReLU.

    width: of the output, both directions together; null for that of the input, as the paper.
    dropout: between the layers, where there are two or more.
    """
    return partial(_bilstm, width=width, layers=layers, dropout=dropout)


def _bilstm(width_in: int, width: int | None, layers: int, dropout: float) -> BiLSTM:
    hidden = max(1, (width or width_in) // 2)
    return BiLSTM(width_in, hidden, layers, dropout)


@checked("spacy-finegrained-ner.names.v1")
def build_names_v1(
    path: FileName | None = None,
    inside: Switch = True,
    width: Count = 64,
    common: Part = 0.3,
    hide: Part = 0.1,
    hide_text: Part = 0.1,
    replace: Part = 0.03,
    invent: Part = 0.01,
    hide_topics: Part = 0.1,
    blur: Part = 0.3,
) -> Knowledge:
    """Registered as `spacy-finegrained-ner.names.v1`: names of a file as evidence, beside what the
    encoder makes of a text.

    path: of the file, which the command `knowledge build` makes.
    inside: whether it is saved with the component; if not, it has to be at `path` when the
        pipeline is loaded.
    width: of the vectors of names.
    common: names are left out of which, in the training data, less than this share of the places
        is an entity; 0 for none. In training a text itself does not count.
    hide, hide_text, replace, invent, hide_topics: how often training does this to what it finds,
        see `knowledge.found.Noise`, so that the model does not lean on names. blur: the part of
        the texts that are blurred, so that it does not lean on what the encoder knows by heart.
    """
    noise = Noise(hide, hide_text, replace, invent, hide_topics, blur)
    return Knowledge(None if path is None else str(path), inside, width, noise, common)
