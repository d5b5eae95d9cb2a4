"""The verb `annotate` with a language model: what it did not answer is not known."""

import json

from chat_server import ChatServer, fails
from chatting import make_llm
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app


def annotated(tmp_path, url, texts, **config):
    """RETURNS: exit code, what was said, rows, and rows set aside."""
    make_llm(url, **config).to_disk(tmp_path / "model")
    given, output = tmp_path / "texts.txt", tmp_path / "o.jsonl"
    given.write_text("\n".join(texts) + "\n")
    done = CliRunner().invoke(
        app, ["annotate", str(tmp_path / "model"), str(given), "--output", str(output)]
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    found = [
        [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        for path in (output, tmp_path / "o.jsonl.bad")
    ]
    return done.exit_code, " ".join(done.output.split()), *found


def test_texts_without_an_answer_are_set_aside(chat, tmp_path):
    texts = ["marie curie in lyon", "no luck in lyon", "nothing here"]
    code, said, rows, bad = annotated(tmp_path, chat.url, texts)
    assert code == 0
    assert "1 of 3 rows are set aside" in said
    found = {row["text"]: [(e["text"], e["label"]) for e in row["entities"]] for row in rows}
    assert found == {
        "marie curie in lyon": [("marie curie", "Scientist"), ("lyon", "HumanSettlement")],
        "nothing here": [],
    }
    assert [(one["row"], one["reason"]) for one in bad] == [
        (2, "no answer of the language model: HTTP 500")
    ]


def test_what_would_happen_to_each_text_ends_the_run(tmp_path):
    """And is not tried with each text alone, as what one text is to blame for."""
    chat = ChatServer({"in": fails(401, "bad key")})
    try:
        texts = [f"{i} in lyon" for i in range(30)]
        code, said, rows, bad = annotated(tmp_path, chat.url, texts, limits={"parallel": 2})
    finally:
        chat.close()
    assert code == 1
    assert "HTTP 401: bad key" in said
    assert (rows, bad) == ([], [])
    assert sum(chat.asked.values()) <= 2
