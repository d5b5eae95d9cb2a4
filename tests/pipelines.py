"""Small pipelines for the tests, without pretrained weights."""

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from spacy_finegrained_ner.data.conll import Sentence
from spacy_finegrained_ner.data.corpus import sentence_to_doc

HASH_EMBED = {
    "@architectures": "spacy-finegrained-ner.Tagger.v1",
    "dropout": 0.0,
    "tok2vec": {
        "@architectures": "spacy.HashEmbedCNN.v2",
        "pretrained_vectors": None,
        "width": 32,
        "depth": 1,
        "embed_size": 500,
        "window_size": 1,
        "maxout_pieces": 2,
        "subword_features": True,
    },
}

LINEAR = HASH_EMBED | {"decoder": "linear", "sequence": None, "blending": None}
"""Without what spaCy fills in from the factory's default config: blending and CRF."""

SENTENCES = (
    "marie/B-Scientist curie/I-Scientist met/O pelé/B-Athlete in/O lyon/B-HumanSettlement",
    "serena/B-Athlete williams/I-Athlete drinks/O green/B-Drink tea/I-Drink",
    "is/O there/O green/B-Drink tea/I-Drink in/O lyon/B-HumanSettlement ?/O",
    "pelé/B-Athlete wrote/O to/O marie/B-Scientist curie/I-Scientist",
    "nothing/O to/O see/O here/O",
)


def sentence(text: str) -> Sentence:
    """`word/TAG word/TAG` as a Sentence."""
    pairs = [token.rsplit("/", 1) for token in text.split()]
    return Sentence(tuple(word for word, _ in pairs), tuple(tag for _, tag in pairs), 1)


def examples(nlp: Language, texts=SENTENCES) -> list[Example]:
    gold = [sentence_to_doc(nlp.vocab, sentence(text)) for text in texts]
    return [Example(Doc(nlp.vocab, words=[t.text for t in doc]), doc) for doc in gold]


def make_nlp(name: str = "finegrained_ner", lang: str = "xx", **config) -> Language:
    """A pipeline with a tok2vec of its own, not initialized. Of no language in particular, which is
    made in half the time: English has 1,300 exceptions of its tokenizer."""
    nlp = spacy.blank(lang)
    nlp.add_pipe("finegrained_ner", name=name, config={"model": HASH_EMBED, **config})
    return nlp


def train(nlp: Language, data: list[Example], steps: int) -> dict[str, float]:
    """Initialize and update. RETURNS: the losses of the last step."""
    from thinc.api import Adam, fix_random_seed

    fix_random_seed(0)
    nlp.initialize(lambda: data)
    sgd = Adam(0.01)
    losses: dict[str, float] = {}
    for _ in range(steps):
        losses = {}
        nlp.update(data, sgd=sgd, losses=losses)
    return losses


def entities(doc: Doc) -> list[tuple[str, str, str]]:
    return [(ent.text, ent.label_, ent._.coarse_label) for ent in doc.ents]


def initialized(auxiliary=None, loss=None, scorer=None, tok2vec=None, **own):
    """A pipeline whose model has these parts, not from a config."""
    from spacy_finegrained_ner.ml.architectures import build_tagger_v1
    from spacy_finegrained_ner.pipeline.finegrained_ner import FineGrainedNER

    nlp = spacy.blank("xx")
    stock = {"tok2vec": HASH_EMBED["tok2vec"]}
    tok2vec = tok2vec or spacy.registry.resolve(stock)["tok2vec"]
    model = build_tagger_v1(tok2vec, **own)
    more = {"scorer": scorer} | ({} if loss is None else {"loss": loss})
    component = FineGrainedNER(nlp.vocab, model, auxiliary=auxiliary, auxiliary_weight=0.5, **more)
    component.initialize(lambda: examples(nlp))
    return component
