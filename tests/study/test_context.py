"""What stands behind sentences, and how it is cut off again."""

import sys
from dataclasses import replace

import pytest
import spacy
from encoders import tiny_bert, tiny_roberta
from knowledge_names import names_file
from pipelines import SENTENCES, sentence
from spacy.tokens import DocBin, Span
from transformers import AutoTokenizer
from typer.testing import CliRunner

from spacy_finegrained_ner.benchmark.sentences import read_docs
from spacy_finegrained_ner.data.corpus import EMBEDDED, bare_copy, sentence_to_doc
from spacy_finegrained_ner.ml.encoder_batches import tokenize
from study.__main__ import app
from study.plan.context import CONTEXT, WORDPIECES
from study.plan.experiments import EXPERIMENTS
from study.plan.stages import StudyError
from study.runs.context import longest, with_context, without_context, write_context
from study.runs.pipelines import CONFIGS, Inputs
from study.runs.records import read_gold, read_records
from study.runs.training import _sentences

NLP = spacy.blank("en")
TEXTS = (
    "Marie Curie met Pelé in Paris",
    "green tea is a drink",
    "serena williams drinks green tea",
)


def docs(texts=SENTENCES):
    return [sentence_to_doc(NLP.vocab, sentence(text)) for text in texts]


@pytest.fixture
def inputs(tmp_path):
    tiny_bert(tmp_path / "encoder", layers=1)
    names_file(tmp_path / "names.kb")
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    files = {"knowledge": str(tmp_path / "names.kb"), "texts": str(tmp_path / "texts.txt")}
    return Inputs(work, str(tmp_path / "encoder"), **files)


def text(tokens):
    return " ".join(token.text for token in tokens)


def behind(kind, inputs, **parts):
    """What is written behind the sentences of each part."""
    write_context(kind, parts, "train", inputs)
    found = {}
    for part, some in parts.items():
        longer = read_docs(inputs.work / f"{part}-{kind}.spacy")
        pairs = list(zip(longer, some, strict=True))
        assert [text(doc[: len(own)]) for doc, own in pairs] == [text(own) for own in some]
        found[part] = [text(doc[len(own) :]) for doc, own in pairs]
    return found


def test_names_with_their_topics_are_behind_a_sentence(inputs):
    found = behind("names", inputs, train=docs(), valid=docs())
    assert found["train"] == [
        "[SEP] marie curie : scientist , film ; pelé : player ; in : city ; lyon : player , city",
        "[SEP] serena williams : player ; green tea : beverage , film",
        "[SEP] is there : film ; green tea : beverage , film ; in : city ; lyon : player , city",
        "[SEP] marie curie : scientist , film ; pelé : player ; to : film",
        "[SEP] to : film",
    ]
    # One sentence is too few to call "in" and "to" words, two are enough
    assert found["valid"][3:] == ["[SEP] marie curie : scientist , film ; pelé : player", ""]


def test_the_own_gold_of_a_sentence_decides_nothing(inputs):
    whole = behind("names", inputs, train=docs())["train"]
    for i in range(len(SENTENCES)):
        train = docs()
        train[i].set_ents([], default="outside")
        assert behind("names", inputs, train=train)["train"][i] == whole[i]
    # In two others "to" is a word, whatever it is here
    for last in ("nothing/O to/O see/O", "nothing/O to/B-VisualWork see/O"):
        train = docs((*SENTENCES[:4], "to/O her/O", last))
        assert behind("names", inputs, train=train)["train"][5] == ""


def test_the_longest_names_come_first_and_do_not_overlap():
    names = [(0, 1, 0), (0, 2, 1), (1, 4, 2), (4, 5, 3), (6, 7, 4)]
    assert longest(names) == [(1, 4, 2), (0, 1, 0), (4, 5, 3), (6, 7, 4)]
    assert longest((i, i + 1, i) for i in range(9)) == [(i, i + 1, i) for i in range(5)]


def test_similar_texts_are_behind_a_sentence_and_never_itself(inputs, monkeypatch):
    monkeypatch.setattr("study.runs.text_index.FREQUENT", 1.0)
    found = behind("texts", inputs, train=docs())["train"]
    assert found[0] == "[SEP] Marie Curie met Pelé in Paris"
    assert found[1] == "[SEP] green tea is a drink"
    assert found[4] == ""
    assert found[2].count("[SEP]") == 2


def test_what_is_behind_is_unknown_and_the_separator_is_outside():
    (doc,) = docs(SENTENCES[1:2])
    doc.set_ents(list(doc.ents), missing=[doc[2:3]], default="unmodified")
    longer = with_context(doc, [["tea", ":", "drink"], ["her"]], "[SEP]")
    assert text(longer) == "serena williams drinks green tea [SEP] tea : drink [SEP] her"
    assert [token.ent_iob_ for token in longer] == [*"BI", "", *"BIO", "", "", "", "O", ""]
    assert [(e.text, e.label_) for e in longer.ents] == [(e.text, e.label_) for e in doc.ents]


def test_what_is_found_behind_is_cut_off_and_counted():
    (doc,) = docs(SENTENCES[1:2])
    longer = with_context(doc, [["green", "tea"]], "[SEP]")
    longer.ents = [Span(longer, *some, "Drink") for some in ((0, 2), (4, 6), (6, 8))]
    sentence_alone, more = without_context(longer, len(doc))
    assert sentence_alone.text == doc.text
    assert [(e.start, e.end, e.label_) for e in sentence_alone.ents] == [(0, 2, "Drink")]
    assert more == 2


def test_a_part_is_scored_without_what_is_behind(inputs):
    """Of a pipeline that finds every "lyon", wherever it stands."""
    gold = docs()
    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "HumanSettlement", "pattern": "lyon"}])
    DocBin(docs=gold).to_disk(inputs.work / "valid.spacy")
    write_context("names", {"train": gold, "valid": gold}, "train", inputs)
    for file, expected in (("valid", 0), ("valid-names", 2)):
        examples, more = _sentences(nlp, inputs.work / "valid", inputs.work / file)
        assert more == expected
        assert [eg.predicted.text for eg in examples] == [doc.text for doc in gold]
        assert [[(e.start, e.end) for e in eg.predicted.ents] for eg in examples] == [
            [(5, 6)] if i == 0 else [(5, 6)] if i == 2 else [] for i in range(len(gold))
        ]


@pytest.mark.parametrize("tiny", [tiny_bert, tiny_roberta])
def test_the_separator_is_one_piece_to_the_encoder(tmp_path, tiny, inputs):
    encoder = tiny(tmp_path / "other", layers=1)
    (doc,) = docs(SENTENCES[3:4])
    write_context("names", {"train": [doc]}, "train", replace(inputs, encoder=str(encoder)))
    (longer,) = read_docs(inputs.work / "train-names.spacy")
    tokenizer = AutoTokenizer.from_pretrained(encoder)
    pieces, align = tokenize(tokenizer, [bare_copy(longer, longer.vocab)[:]])
    before = int(align.lengths[: len(doc)].sum())
    assert align.lengths[len(doc)] == 1
    assert pieces.input_ids.reshape(-1)[align.data[before]] == tokenizer.sep_token_id


def test_what_is_not_given_is_told(inputs, tmp_path):
    parts = {"train": docs()}
    with pytest.raises(StudyError, match="give --knowledge"):
        write_context("names", parts, "train", replace(inputs, knowledge=None))
    with pytest.raises(StudyError, match="is no file of names"):
        write_context("names", parts, "train", replace(inputs, knowledge=inputs.texts))
    with pytest.raises(StudyError, match="give --texts"):
        write_context("texts", parts, "train", replace(inputs, texts=None))


def test_batches_are_larger_than_those_of_the_default_config():
    config = spacy.util.load_config(CONFIGS / "default.cfg")
    assert config["training"]["batcher"]["max_padded"] == WORDPIECES


@pytest.mark.slow
def test_a_smoke_experiment_of_context(tmp_path, inputs, monkeypatch):
    """From the command line to the page; all arms are scored on the same entities."""
    monkeypatch.setattr(sys, "argv", ["study", "experiment"])
    folder = tmp_path / "data"
    folder.mkdir()
    for name, file in (("train", "train"), ("valid", "valid"), ("dev", "valid")):
        (folder / f"{name}.conll").write_bytes((EMBEDDED / f"{file}.conll").read_bytes())
    lines = [doc.text for doc in read_docs(EMBEDDED / "train.conll")]
    (tmp_path / "texts.txt").write_text("\n".join(lines), encoding="utf-8")
    asked = (
        *("experiment", "context", folder, "--output", tmp_path / "out", "--smoke"),
        *("--encoder", inputs.encoder, "--work", inputs.work),
        *("--knowledge", inputs.knowledge, "--texts", inputs.texts),
    )
    done = CliRunner().invoke(app, [str(one) for one in asked])
    assert done.exit_code == 0, done.output + done.stderr
    records = {record.run.arm: record for record in read_records(tmp_path / "out")}
    assert records.keys() == CONTEXT.arms.keys() == EXPERIMENTS["context"].arms.keys()
    for part in ("valid", "dev"):
        count = len(read_gold(tmp_path / "out", "train", part).entities)
        assert {len(record.sets[part].hits) for record in records.values()} == {count}
    asked = ("page", tmp_path / "out", "--experiment", "context")
    done = CliRunner().invoke(app, [str(one) for one in asked])
    assert done.exit_code == 0, done.output + done.stderr
