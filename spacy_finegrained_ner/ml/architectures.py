"""The model, as thinc sees it: tok2vec >> tagger. Scores come out; `ml.decoder` reads them."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d
from torch import nn

from spacy_finegrained_ner.ml.blocks import Blending, check_pickles
from spacy_finegrained_ner.ml.decoder import DECODINGS, Decoding
from spacy_finegrained_ner.ml.knowledge import Knowledge, with_knowledge
from spacy_finegrained_ner.ml.shim import Precision
from spacy_finegrained_ner.ml.tagger_layer import ScoreBatch, build_tagger_layer
from spacy_finegrained_ner.nn.tagger_module import TaggerModule
from spacy_finegrained_ner.settings import PartBelowOne, checked

NAME = "spacy-finegrained-ner.Tagger.v1"


@checked(NAME)
def build_tagger_v1(
    tok2vec: Model[list[Doc], list[Floats2d]],
    dropout: PartBelowOne = 0.2,
    decoder: Literal["crf", "linear"] | Decoding = "crf",
    sequence: Callable[[int], nn.Module] | None = None,
    blending: Blending | None = None,
    precision: Precision = "fp32",
    knowledge: Knowledge | None = None,
) -> Model[list[Doc], list[ScoreBatch]]:
    """Registered as `spacy-finegrained-ner.Tagger.v1` (architectures): the paper's figure, from
    the encoder's vectors to emissions: sequence layer, dropout, blending, linear layer, CRF.

    tok2vec: vectors of tokens; a spacy-transformers listener, or any other spaCy tok2vec.
    dropout: behind the sequence layer, in training. It is a setting of the torch module:
        `[training] dropout` does not reach it.
    decoder: "crf", or "linear" for tags that are scored each on their own. Both decode legal BIO
        only. Or a block of a decoder of your own. The auxiliary task has the same.
    sequence: `spacy-finegrained-ner.BiLSTM.v1`, or null.
    blending: `spacy-finegrained-ner.blend_*.v1`, or null.
    precision: of this part, see `spacy-finegrained-ner.TransformerLayers.v1`. CRF and losses are
        computed in float32.
    knowledge: `spacy-finegrained-ner.names.v1`, or null.

    Raises a ValueError that names the setting, if one is out of its range, or a block that can't
    be pickled (workers of nlp.pipe ask for it).
    """
    # confection 1.x lets any block through for a dataclass
    if blending is not None and not isinstance(blending, Blending):
        raise ValueError(
            f"blending of {NAME} is {blending!r}, expected a block with @layers = "
            '"spacy-finegrained-ner.blend_concatenate.v1" or another blending, or null.'
        )
    if knowledge is not None and not isinstance(knowledge, Knowledge):
        raise ValueError(
            f"knowledge of {NAME} is {knowledge!r}, expected a block with @layers = "
            '"spacy-finegrained-ner.names.v1", or null.'
        )
    if sequence is not None and not callable(sequence):
        raise ValueError(
            f"sequence of {NAME} is {sequence!r}, expected a block with @layers = "
            '"spacy-finegrained-ner.BiLSTM.v1" or another function that gives a function of the '
            "width, or null."
        )
    decoding = DECODINGS.get(decoder) if isinstance(decoder, str) else decoder
    if not isinstance(decoding, Decoding):
        raise ValueError(
            f"decoder of {NAME} is {decoder!r}, expected 'crf', 'linear' or a block whose function "
            "gives a Decoding."
        )
    for setting, block in (("sequence", sequence), ("blending", blending), ("decoder", decoding)):
        check_pickles(f"{setting} of {NAME}", block)

    tagger = build_tagger_layer(
        partial(
            _build_module,
            dropout=dropout,
            sequence=sequence,
            blending=blending.build if blending else None,
            place=blending.place if blending else "",
            crf=decoding.transitions,
            evidence=knowledge is not None,
        ),
        precision,
    )
    vectors = tok2vec
    if knowledge is not None:
        vectors = with_knowledge(tok2vec, knowledge, precision)
    model: Model[list[Doc], list[ScoreBatch]] = chain(vectors, tagger)
    # The refs are saved with the model. `replace_listeners` asks for "tok2vec" in the config.
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("tagger", tagger)
    if knowledge is not None:
        model.set_ref("knowledge", vectors)
    model.attrs["decoding"] = decoding
    return model


def _build_module(width: int, tags: list[int], **settings: Any) -> TaggerModule:
    return TaggerModule(width=width, tags=tags, **settings)
