"""A language model beside the arms of a study, on the same sentences."""

import json
from collections import Counter
from dataclasses import replace

import chat_server
import pytest
import spacy
from chat_server import ChatServer, completion
from spacy.tokens import DocBin
from spacy.training import Example
from typer.testing import CliRunner

from spacy_finegrained_ner.baselines.llm.prompt import few_shot
from spacy_finegrained_ner.data.corpus import EMBEDDED, bare_copy
from spacy_finegrained_ner.data.files import read_docs, read_gold
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy
from study.__main__ import app
from study.analysis.scores import sentence_counts
from study.plan.stages import Run, Training
from study.runs.records import RECORD, Record, read_records, write, write_gold
from study.runs.records import read_gold as read_table
from study.runs.sample import gold_table, stratified
from study.runs.training import found_in, made_with

TREE = read_taxonomy()
NLP = spacy.blank("en")
VOCAB = NLP.vocab
SENTENCES = 12


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for part, number in (("train", 150), ("valid", 60)):
        docs = read_gold(NLP, EMBEDDED / f"{part}.conll")[:number]
        DocBin(docs=docs).to_disk(folder / f"{part}.spacy")
    return folder


@pytest.fixture
def study(data, tmp_path):
    """Of a CRF that has found every second entity, and last words of sentences too."""
    gold, train = (read_docs(VOCAB, data / f"{part}.spacy") for part in ("valid", "train"))
    table, seen = gold_table(gold, train, TREE)
    examples = []
    for doc in gold:
        found = bare_copy(doc, VOCAB)
        ents = list(doc.ents)[::2]
        if doc[len(doc) - 1].ent_iob_ == "O":
            ents.append(spacy.tokens.Span(doc, len(doc) - 1, len(doc), "Drink"))
        found.set_ents([spacy.tokens.Span(found, e.start, e.end, e.label_) for e in ents])
        examples.append(Example(found, doc))
    run = Run("classic-crf", "classic", "crf", 0, (Training("crf", "train"),))
    sets = {"valid": found_in(examples, table, seen, TREE)}
    record = Record(run=run, trained=[], sets=sets, **made_with())
    folder = tmp_path / "study"
    write(RECORD.dump_json(record), folder / "runs" / "classic-crf.json")
    write_gold(table, folder / "gold-train-valid.json")
    return folder


@pytest.fixture
def knowing(data):
    """A server that answers with the gold."""
    answers = {
        shot.text: shot.answer
        for doc in read_docs(VOCAB, data / "valid.spacy")
        for shot in [few_shot(doc, TREE)]
    }

    def tell(handler, text: str) -> None:
        handler.send(completion(answers[text]))

    server = ChatServer({"": tell})
    yield server
    server.close()


def ask(server, data, study, output, *more: object, code: int = 0) -> str:
    fixed = ("--study", study, "--output", output, "--url", server.url, "--sentences", SENTENCES)
    asked = ("llm", "run", "few_shot", data, *fixed, "--examples", 2, *more)
    done = CliRunner().invoke(app, [str(argument) for argument in asked])
    assert done.exit_code == code, done.output + done.stderr
    return done.output + done.stderr


def test_the_model_and_the_arms_are_scored_on_the_same_sentences(knowing, data, study, tmp_path):
    output = tmp_path / "out"
    assert "micro F1 1.000, macro F1 1.000" in ask(knowing, data, study, output)
    gold = read_docs(VOCAB, data / "valid.spacy")
    drawn = stratified(gold, SENTENCES)
    places = [gold.index(doc) for doc in drawn]
    assert Counter(knowing.asked) == Counter(doc.text.strip() for doc in drawn)
    table = read_table(output, "train", "valid")
    assert table.words == [len(doc) for doc in drawn]
    by_arm = {record.run.arm: record for record in read_records(output)}
    assert by_arm.keys() == {"few_shot", "crf"}
    (before,) = read_records(study)
    whole = sentence_counts(before.sets["valid"], read_table(study, "train", "valid"))
    some = sentence_counts(by_arm["crf"].sets["valid"], table)
    assert (some == whole[places]).all()
    assert some[..., 1].sum() > 0  # some that are false
    right = sentence_counts(by_arm["few_shot"].sets["valid"], table)
    assert right[..., 1:].sum() == 0
    assert right.sum() == len(table.entities) == len(by_arm["crf"].sets["valid"].hits)
    (used,) = json.loads((output / "usage" / "few_shot-valid.json").read_text())
    assert used["requests"] == used["texts"] == SENTENCES
    assert used["prompt_tokens"] == SENTENCES * chat_server.USAGE["prompt_tokens"]
    # Again: nothing is asked, and the record is the same
    ask(knowing, data, study, output)
    assert knowing.asked.total() == SENTENCES
    used = json.loads((output / "usage" / "few_shot-valid.json").read_text())
    assert [start["requests"] for start in used] == [SENTENCES, 0]
    page = CliRunner().invoke(app, ["page", str(output), "--experiment", "llm"])
    assert page.exit_code == 0, page.output + page.stderr
    text = (output / "README.md").read_text(encoding="utf-8")
    assert "| language model, examples in the prompt | 1 | 100.0 (100.0 to 100.0) |" in text
    assert "| language model, examples in the prompt, valid part | 12 | 1,200 | 120 |" in text


def test_another_part_comes_beside_the_first(knowing, data, study, tmp_path):
    output = tmp_path / "out"
    (data / "dev.spacy").write_bytes((data / "valid.spacy").read_bytes())
    (before,) = read_records(study)
    both = replace(before, sets={"valid": before.sets["valid"], "dev": before.sets["valid"]})
    write(RECORD.dump_json(both), study / "runs" / "classic-crf.json")
    write_gold(read_table(study, "train", "valid"), study / "gold-train-dev.json")
    ask(knowing, data, study, output)
    first = {record.run.arm: record.sets for record in read_records(output)}
    ask(knowing, data, study, output, "--part", "dev")
    for record in read_records(output):
        assert record.run.sets == ("valid", "dev")
        assert record.sets["valid"] == first[record.run.arm]["valid"]
    # One arm has been asked about the one part alone
    (path,) = (output / "runs").glob("*few_shot*")
    one = RECORD.validate_json(path.read_bytes())
    write(RECORD.dump_json(replace(one, sets={"dev": one.sets["dev"]})), path)
    page = CliRunner().invoke(app, ["page", str(output), "--experiment", "llm"])
    assert page.exit_code == 0, page.output + page.stderr
    text = (output / "README.md").read_text(encoding="utf-8")
    dev, valid = text.split("## Dev part")[1].split("## Valid part")
    assert "language model" not in valid.split("## ")[0]
    assert "language model" in dev.split("## ")[0]
    assert "language model, examples in the prompt, dev part | 0 | 0" in text


def test_a_study_of_other_data_is_refused(knowing, data, study, tmp_path):
    docs = read_docs(VOCAB, data / "valid.spacy")
    DocBin(docs=docs[1:]).to_disk(data / "valid.spacy")
    said = ask(knowing, data, study, tmp_path / "out", code=1)
    assert "is a study of other data than" in said
    assert not knowing.asked


def test_what_can_not_be_asked_is_told(knowing, data, study, tmp_path):
    said = ask(knowing, data, study, tmp_path / "out", "--part", "dev", code=1)
    assert "dev.spacy: there is no such file" in said
    done = CliRunner().invoke(app, ["llm", "run", "both", str(data), "--output", str(tmp_path)])
    assert done.exit_code == 1
    assert "There is no arm 'both', expected one of few_shot, tuned" in done.stderr
