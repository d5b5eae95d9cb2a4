"""Gold texts as chats, and the way back."""

import json

import pytest
import spacy
from chatting import make_llm
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from spacy_finegrained_ner.baselines.llm.answers import Reply, read_answer
from spacy_finegrained_ner.baselines.llm.chat import (
    EMPTY,
    UNKNOWN,
    UNTOLD,
    chats_of,
    read_chats,
    write_chats,
)
from spacy_finegrained_ner.baselines.llm.examples import FixedExamples
from spacy_finegrained_ner.baselines.llm.mentions import align
from spacy_finegrained_ner.baselines.llm.prompt import TEMPLATES, read_template
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.data.corpus import EMBEDDED
from spacy_finegrained_ner.data.files import read_gold
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy

NLP = spacy.blank("en")
VOCAB = NLP.vocab
TREE = read_taxonomy()
SHORT = read_template("short")
NONE = FixedExamples(0, 0)


def gold_doc(words: str, *spans: tuple[int, int, str], default: str = "outside") -> Doc:
    doc = Doc(VOCAB, words.split())
    doc.set_ents([Span(doc, *span) for span in spans], default=default)
    return doc


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_answer_is_read_as_the_gold_on_the_whole_embedded_corpus(tmp_path):
    done = run("export-chat", *EMBEDDED.glob("*.conll"), tmp_path, "--taxonomy", "multiconer2")
    assert done.exit_code == 0, done.output
    assert "left out" not in done.output
    for part in ("train", "valid"):
        gold = read_gold(NLP, EMBEDDED / f"{part}.conll")
        chats = read_chats(tmp_path / f"{part}.jsonl")
        assert len(chats) == len(gold) > 500
        for doc, chat in zip(gold, chats, strict=True):
            asked, answer = chat.messages
            assert (asked.role, answer.role) == ("user", "assistant")
            assert f"Text: {doc.text.strip()}\n" in asked.content
            mentions = read_answer(Reply(content=answer.content)).mentions
            found = align(doc, mentions, TREE.spelled)
            assert found.entities == [(e.start, e.end, e.label_) for e in doc.ents]
            assert not found.dropped


@pytest.mark.parametrize("template", [*TEMPLATES])
@pytest.mark.parametrize("number", [0, 3])
def test_a_chat_asks_what_the_component_asks(template, number):
    gold = read_gold(NLP, EMBEDDED / "valid.conll")[:40]
    examples = FixedExamples(number, 1)
    examples.draw(gold, TREE)
    found = chats_of(gold, TREE, read_template(template), examples)
    block = {"@misc": "spacy-finegrained-ner.FixedExamples.v1", "number": number, "seed": 1}
    nlp = make_llm("http://127.0.0.1:9/v1", examples=block, initialize=False)
    nlp.config["initialize"]["components"]["finegrained_llm"]["template"] = template
    nlp.initialize(lambda: [spacy.training.Example(doc.copy(), doc) for doc in gold])
    bodies = nlp.get_pipe("finegrained_llm").bodies(gold)
    chats = [chat.model_dump()["messages"] for chat in found.chats]
    assert [body["messages"] for body in bodies] == [messages[:-1] for messages in chats]


def test_what_a_list_of_mentions_cannot_tell_is_left_out_and_counted():
    town, team = "HumanSettlement", "SportsGRP"
    told = [
        gold_doc("lyon beats lyon", (0, 1, team), (2, 3, town)),  # each its own place
        gold_doc("lyon and lyon", (0, 1, town), (2, 3, town)),
        gold_doc("nothing to see"),
        gold_doc("university of lyon in lyon", (0, 3, "ORG"), (4, 5, town)),
    ]
    untold = [
        gold_doc("lyon and lyon", (0, 1, town)),
        gold_doc("lyon in university of lyon", (2, 5, "ORG"), (0, 1, town)),  # this one can
    ]
    partial = gold_doc("lyon and paris", (0, 1, town), default="missing")
    found = chats_of([*told, *untold, partial, gold_doc(" ")], TREE, SHORT, NONE)
    assert len(found.chats) == 5
    assert found.left_out == {UNTOLD: 1, UNKNOWN: 1, EMPTY: 1}


def test_the_short_template_names_no_types():
    (chat,) = chats_of([gold_doc("in lyon", (1, 2, "HumanSettlement"))], TREE, SHORT, NONE).chats
    assert not any(label in chat.messages[0].content for label in TREE.fine)
    assert json.loads(chat.messages[1].content) == {
        "entities": [{"text": "lyon", "label": "HumanSettlement"}]
    }


def test_a_file_of_chats_is_read_as_it_was_written(tmp_path):
    docs = [gold_doc("in\u2028 \u2028 lyon é 🎈", (2, 3, "HumanSettlement")), gold_doc("so what")]
    chats = chats_of(docs, TREE, SHORT, NONE).chats
    write_chats(chats, tmp_path / "chats.jsonl")
    assert read_chats(tmp_path / "chats.jsonl") == chats
    assert len(chats) == 2


ANSWER = '{"role": "assistant", "content": "{}"}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"line 2: Invalid JSON.* Expected a chat such as"),
        ('{"messages": []}', "line 2: messages: List should have at least 2 items"),
        (f'{{"messages": [{ANSWER}]}}', "line 2: messages: List should have at least 2 items"),
        ('{"prompt": "a"}', "line 2: messages: Field required"),
        (
            '{"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}',
            "line 2: Value error, the last message is not an answer of the assistant",
        ),
        (f'{{"messages": [{{"role": "user"}}, {ANSWER}]}}', "messages.0.content: Field required"),
    ],
)
def test_a_line_that_is_no_chat_is_named(tmp_path, line, message):
    path = tmp_path / "chats.jsonl"
    fine = f'{{"messages": [{{"role": "user", "content": "a"}}, {ANSWER}], "weight": 1}}'
    path.write_text(f"{fine}\n{line}\n", encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_chats(path)


def test_a_file_without_chats(tmp_path):
    (tmp_path / "chats.jsonl").write_text("\n")
    with pytest.raises(UserError, match="holds no chats"):
        read_chats(tmp_path / "chats.jsonl")
    (tmp_path / "chats.jsonl").write_bytes(b"\xff")
    with pytest.raises(UserError, match="not UTF-8"):
        read_chats(tmp_path / "chats.jsonl")


def test_two_files_of_one_name_are_refused(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "valid.conll").write_bytes((EMBEDDED / "valid.conll").read_bytes())
    done = run("export-chat", EMBEDDED / "valid.conll", other / "valid.conll", tmp_path)
    assert done.exit_code == 1
    assert "Expected several names" in done.stderr
    assert not [*tmp_path.glob("*.jsonl")]


def test_labels_without_a_taxonomy_are_those_of_all_files(tmp_path):
    for name, label in (("train", "Laptop"), ("valid", "Phone")):
        DocBin(docs=[gold_doc("my thing", (1, 2, label))]).to_disk(tmp_path / f"{name}.spacy")
    files = [tmp_path / "train.spacy", tmp_path / "valid.spacy"]
    assert run("export-chat", *files, tmp_path / "chat").exit_code == 0
    for name in ("train", "valid"):
        (chat,) = read_chats(tmp_path / "chat" / f"{name}.jsonl")
        assert "- Laptop\n- Phone\n" in chat.messages[0].content
