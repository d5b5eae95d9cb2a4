"""The model, as thinc sees it: tok2vec >> tagger. Emissions come out; `ml.decoder` reads them."""

from spacy.tokens import Doc
from thinc.api import Model, chain
from thinc.types import Floats2d

from spacy_finegrained_ner.ml.tagger import Emissions, build_tagger


def build_tagger_v1(
    tok2vec: Model[list[Doc], list[Floats2d]], dropout: float
) -> Model[list[Doc], Emissions]:
    """Registered as `spacy-finegrained-ner.Tagger.v1` (architectures).

    tok2vec: vectors of tokens; a spacy-transformers listener, or any other spaCy tok2vec.
    dropout: before the linear layer, in training. Between 0 and 1 (ValueError if not). It is a
        setting of the torch module: `[training] dropout` does not reach it.
    """
    if not 0.0 <= dropout < 1.0:
        raise ValueError(
            f"dropout of spacy-finegrained-ner.Tagger.v1 is {dropout}, expected 0 <= dropout < 1."
        )
    tagger = build_tagger(dropout)
    model: Model[list[Doc], Emissions] = chain(tok2vec, tagger)
    # The refs are saved with the model. `replace_listeners` asks for "tok2vec" in the config.
    model.set_ref("tok2vec", tok2vec)
    model.set_ref("tagger", tagger)
    return model
