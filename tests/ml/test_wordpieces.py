import pytest
import spacy
from encoders import tiny_bert
from spacy.training import Example
from spacy.util import registry
from transformers import AutoTokenizer

from spacy_finegrained_ner.ml.wordpieces import build_wordpieces_v1


def test_it_counts_what_the_encoder_sees(tmp_path):
    nlp = spacy.blank("en")
    folder = str(tiny_bert(tmp_path))
    count = registry.get("misc", "spacy-finegrained-ner.wordpieces.v1")(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text in ("", "marie curie", "zzz qqqqqq", "tea " * 600):
        doc = nlp.make_doc(text)
        expected = len(tokenizer(text)["input_ids"])
        assert count(doc) == expected
        assert count(Example(doc, nlp.make_doc(text))) == expected
    assert count(nlp.make_doc("zzz")) > count(nlp.make_doc("tea"))


def test_nothing_is_read_before_it_is_needed(tmp_path):
    count = build_wordpieces_v1(str(tmp_path / "missing"))
    with pytest.raises(OSError, match=r"The encoder .*missing' can't be loaded. Expected a folder"):
        count(spacy.blank("en").make_doc("tea"))
