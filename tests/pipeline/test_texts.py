"""Every kind of text, with a transformer."""

import warnings

import numpy as np
import pytest
import spacy
from listening import make_listening
from pipelines import entities, examples, train
from spacy.tokens import Doc
from spacy.training import Example
from spacy_transformers.span_getters import configure_get_sent_spans

from spacy_finegrained_ner.ml.encoder import NAME as LAYERS

NAME = "finegrained_ner"
KNOWN = "marie curie met pelé in lyon"
TEXTS = {
    "empty": "",
    "one token": "pelé",
    "one letter": "x",
    "spaces": "   ",
    "line ends and tabs": "\n\n\t \r\n",
    "no-break and wide spaces": "\xa0\u3000\u2003",
    "spaces around": f"  {KNOWN} \n",
    "spaces between": KNOWN.replace(" ", "  \n "),
    "control characters": f"\x00 {KNOWN} \x07 \x1b",
    "variation selectors": "\ufe0f \ufe0e marie \ufe0f",
    "zero-width": "\u200d marie\u200bcurie \u200c \u2060 \ufeff",
    "soft hyphens": "\xad marie \xad",
    "combining marks": "\u0301 \u0308 pele\u0301",
    "emoji": "👍🏽 👩‍👩‍👧‍👦 🇫🇷 ❤️ pelé 😀😀😀",
    "Arabic": "\u200f\u0645\u0627\u0631\u064a \u0643\u0648\u0631\u064a \u2067pel\xe9\u2069",
    "Hebrew": "\u05de\u05d0\u05e8\u05d9 \u05e7\u05d9\u05e8\u05d9, marie curie",
    "Chinese": "居里夫人在里昂遇见了贝利。",
    "Thai": "มารี กูรี พบกับเปเล่ในเมืองลียง",
    "outside the BMP": "𝔪𝔞𝔯𝔦𝔢 𐍈 🜚",
    "a private character": "\ue000 \U0010fffd marie",
    "special tokens of the encoder": "[CLS] marie [SEP] [PAD] [UNK] [MASK] </s> <s>",
    "a long token": "a" * 5000,
    "punctuation": "... ??? !!! --- ((( ''' `` ,,",
    "a URL and numbers": "https://example.org/a?b=c#d 3.14159 1,000,000 10^-9",
    "html": "<b>marie curie</b>&nbsp;&amp; pelé",
}


@pytest.fixture(scope="module")
def nlp(tmp_path_factory):
    nlp = make_listening(tmp_path_factory.mktemp("texts"))
    assert train(nlp, examples(nlp), 60)[NAME] < 0.1
    return nlp


def tags(doc: Doc) -> list[str]:
    return [token.ent_iob_ + token.ent_type_ for token in doc]


@pytest.mark.parametrize("kind", TEXTS)
def test_every_token_gets_a_tag_and_nothing_is_lost(nlp, kind):
    text = TEXTS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doc = nlp(text)
    assert doc.text == text
    assert all(token.ent_iob for token in doc)
    assert nlp.get_pipe(NAME).cut_tokens == 0
    for ent in doc.ents:
        assert ent._.coarse_label


def test_all_kinds_in_one_batch_with_what_they_give_alone(nlp):
    texts = ["", *TEXTS.values(), KNOWN, ""]
    alone = [nlp(text) for text in texts]
    for size in (1, 4, 100):
        assert [tags(d) for d in nlp.pipe(texts, batch_size=size)] == [tags(d) for d in alone]
    assert entities(alone[-2])[0] == ("marie curie", "Scientist", "Person")


def test_empty_batches(nlp):
    assert list(nlp.pipe([])) == []
    assert nlp.get_pipe(NAME).predict([]) == []
    assert [len(doc) for doc in nlp.pipe(["", "", ""])] == [0, 0, 0]


def test_ten_thousand_tokens(nlp):
    """Cut into strided windows: each token has a vector and a tag, and what is found does not
    depend on where in the text it stands."""
    words = f"{KNOWN} . nothing to see .".split()
    doc = nlp(Doc(nlp.vocab, words=words * 910))
    assert len(doc) > 10_000
    assert all(token.ent_iob for token in doc)
    starts = {ent.start // len(words) for ent in doc.ents if ent.label_ == "Scientist"}
    assert len(starts) > 0.9 * 910
    assert nlp.get_pipe(NAME).cut_tokens == 0


def load(tmp_path, window):
    """The encoder takes 32 wordpieces, with [CLS] and [SEP]; [SEP] is cut too."""
    nlp = make_listening(tmp_path / str(window), max_length=32, window=window, stride=window)
    nlp.initialize(lambda: examples(nlp))
    return nlp


def test_what_is_beyond_the_encoders_input_is_counted_and_said_once(tmp_path):
    nlp = load(tmp_path, window=40)
    words = ["met", "in", "\u200d", "met"] * 10  # 30 wordpieces
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(Doc(nlp.vocab, words=words[:39]))
    assert nlp.get_pipe(NAME).cut_tokens == 0, "a zero-width joiner has no wordpieces anyway"
    message = (
        r"'finegrained_ner': 5 of 36 tokens of the text 'met met.*the first is 'met', token 31"
        r"\)\. Set a smaller window \(and stride\) in \[components.transformer.model.get_spans\]"
    )
    with pytest.warns(UserWarning, match=message) as said:
        doc = nlp(Doc(nlp.vocab, words=["met"] * 36))
    assert len(said) == 1
    assert all(token.ent_iob for token in doc), "tagged from its neighbours"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(nlp.pipe([Doc(nlp.vocab, words=["met"] * n) for n in (40, 20, 35)]))
    assert nlp.get_pipe(NAME).cut_tokens == 5 + 9 + 4


def test_with_an_encoder_of_its_own_it_is_counted_too(tmp_path):
    nlp = load(tmp_path, window=40)
    nlp.replace_listeners("transformer", NAME, ["model.tok2vec"])
    nlp.remove_pipe("transformer")
    message = r"in \[components.finegrained_ner.model.tok2vec.get_spans\]"
    with pytest.warns(UserWarning, match=message):
        list(nlp.pipe([Doc(nlp.vocab, words=["met"] * n) for n in (20, 36)]))
    assert nlp.get_pipe(NAME).cut_tokens == 5


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("layers", [False, True], ids=["stock", "layers"])
def test_each_cause_is_said_once_with_its_own_remedy(tmp_path, layers, own):
    """In any order: no wordpieces at all, in none of the spans, beyond the longest input."""
    nlp = make_listening(tmp_path, max_length=16, window=30, stride=31)
    if layers:
        nlp.remove_pipe("transformer")
        spans = {"@span_getters": "spacy-transformers.strided_spans.v1"}
        encoder = {"@architectures": LAYERS, "name": str(tmp_path), "layers": 1}
        encoder |= {"combine": "average", "get_spans": {**spans, "window": 30, "stride": 31}}
        nlp.add_pipe("transformer", first=True, config={"model": encoder})
    nlp.initialize(lambda: examples(nlp))
    if own:
        nlp.replace_listeners("transformer", NAME, ["model.tok2vec"])
        nlp.remove_pipe("transformer")
    pipe = nlp.get_pipe(NAME)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(Doc(nlp.vocab, words=["caf\ufffd", "\ufffd", "in", "\ufffd\ufffd"]))
    assert (pipe.cut_tokens, pipe.uncovered_tokens) == (0, 0)
    place = NAME + ".model.tok2vec" if own else "transformer.model"
    # As many as fit, one without wordpieces, cut off, in none of the spans, in the next one
    words = [*["x"] * 15, "\ufffd", *["y"] * 14, "z", *["x"] * 14]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nlp(Doc(nlp.vocab, words=words))
        nlp(Doc(nlp.vocab, words=words))
    cut, uncovered = sorted(str(w.message) for w in caught if "a vector" in str(w.message))
    if "beyond" not in cut:
        cut, uncovered = uncovered, cut
    assert "14 of 45 tokens" in cut
    assert "beyond the longest input" in cut
    assert f"is 'y', token 16). Set a smaller window (and stride) in [components.{place}.g" in cut
    assert "1 of 45 tokens" in uncovered
    assert f"'z', token 30). Set a stride of at most the window in [components.{place}" in uncovered
    assert (pipe.cut_tokens, pipe.uncovered_tokens) == (28, 2)


@pytest.mark.parametrize("layers", [False, True], ids=["stock", "layers"])
def test_last_tokens_in_no_span(tmp_path, layers):
    """spacy-transformers has no place for them; with the encoder of this package they count."""
    nlp = make_listening(tmp_path, window=3, stride=5)
    if layers:
        nlp.remove_pipe("transformer")
        spans = {"@span_getters": "spacy-transformers.strided_spans.v1"}
        encoder = {"@architectures": LAYERS, "name": str(tmp_path), "layers": 1}
        encoder |= {"combine": "average", "get_spans": {**spans, "window": 3, "stride": 5}}
        nlp.add_pipe("transformer", first=True, config={"model": encoder})
    nlp.initialize(lambda: examples(nlp))
    doc = Doc(nlp.vocab, words=list("abcdefghij"))
    if layers:
        with pytest.warns(UserWarning, match=r"4 of 10 tokens .* in none of the spans"):
            assert all(token.ent_iob for token in nlp(doc))
        return
    message = r"got no vectors for 4 of 10 tokens .*'d', token 3.*stride of at most the window in"
    with pytest.raises(ValueError, match=message):
        nlp(doc)
    example = Example(doc, Doc(nlp.vocab, words=[t.text for t in doc], ents=["O"] * len(doc)))
    with pytest.raises(ValueError, match=message):
        nlp.update([example], sgd=nlp.create_optimizer())


def test_a_sentence_longer_than_the_encoders_input(tmp_path):
    """One window for each sentence: what is beyond is cut, and counted."""
    nlp = load(tmp_path, window=40)
    transformer = nlp.get_pipe("transformer")
    transformer.model.attrs["get_spans"] = configure_get_sent_spans()
    starts = [i == 0 or i == 36 for i in range(50)]
    doc = Doc(nlp.vocab, words=["met"] * 50, sent_starts=starts)
    with pytest.warns(UserWarning, match="5 of 50 tokens"):
        doc = nlp(doc)
    assert all(token.ent_iob for token in doc)
    assert nlp.get_pipe(NAME).cut_tokens == 5


def test_a_smaller_window_cuts_nothing(tmp_path):
    nlp = load(tmp_path, window=20)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doc = nlp(Doc(nlp.vocab, words=["met"] * 500))
    assert nlp.get_pipe(NAME).cut_tokens == 0
    assert np.all(doc._.trf_data.align.lengths)


def test_another_pipe_that_uses_the_transformer_is_none_of_our_business(tmp_path):
    """A tok2vec of its own: cut or not, it has a vector for each token."""
    from pipelines import HASH_EMBED

    nlp = load(tmp_path, window=40)
    nlp.remove_pipe(NAME)
    nlp.add_pipe(NAME, config={"model": HASH_EMBED})
    nlp.get_pipe(NAME).initialize(lambda: examples(nlp), nlp=nlp)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp(Doc(nlp.vocab, words=["met"] * 40))
    assert nlp.get_pipe(NAME).cut_tokens == 0


def test_loaded_again_it_says_it_again(tmp_path):
    nlp = load(tmp_path, window=40)
    long = "met " * 40
    with pytest.warns(UserWarning, match="beyond the longest input"):
        nlp(long)
    nlp.to_disk(tmp_path / "model")
    with pytest.warns(UserWarning, match="beyond the longest input"):
        spacy.load(tmp_path / "model")(long)
