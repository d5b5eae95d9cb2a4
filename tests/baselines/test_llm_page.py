"""docs/llm.md as a reader would follow it, with a server of ours in place of the hosted one."""

import re
import shlex
import tomllib
from pathlib import Path

import spacy
from chat_server import ChatServer
from spacy.tokens import DocBin
from spacy.util import load_config, load_model_from_config
from typer.testing import CliRunner

from spacy_finegrained_ner.cli.main import app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "llm.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_can_be_followed(tmp_path, monkeypatch, capsys):
    chat = ChatServer()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-page")
    (tmp_path / "my_taxonomy.toml").write_text(blocks("toml")[0] + '[Place]\nHumanSettlement = ""')
    (tmp_path / "texts.txt").write_text("my macbook in lyon\nnothing\n")
    assemble, *_ = [block for block in blocks("bash") if "assemble" in block]
    written, assemble = assemble.split("\n", 1)
    assert written.endswith("init-config llm.cfg --base llm --taxonomy my_taxonomy.toml")
    done = CliRunner().invoke(app, shlex.split(written)[4:])
    assert done.exit_code == 0, done.output
    assert "python -m spacy assemble llm.cfg annotator" in done.output
    options = dict(re.findall(r"--([\w.]+) (\S+)", assemble))
    assert options["components.finegrained_llm.url"] == "https://api.openai.com/v1"
    options["components.finegrained_llm.url"] = chat.url
    try:
        config = load_config("llm.cfg", overrides=options)
        nlp = load_model_from_config(config, auto_fill=True)
        nlp.initialize()
        nlp.to_disk("annotator")
        names: dict = {}
        for block in blocks("python"):
            exec(block, names)
    finally:
        chat.close()
    printed = capsys.readouterr().out
    assert "my macbook in lyon [('lyon', 'HumanSettlement')]\n" in printed
    assert "2 texts, 2 requests, 0 from the cache" in printed
    assert "- Laptop: a portable computer, by model or brand; not the word" in printed
    assert "Bearer sk-page" in chat.headers[0]
    assert set(chat.asked.values()) == {1}
    docs = list(DocBin().from_disk("annotated.spacy").get_docs(spacy.blank("en").vocab))
    assert [[ent.text for ent in doc.ents] for doc in docs] == [["lyon"], []]
    assert tomllib.loads(blocks("toml")[0])["Hardware"]["Printer"] == ""


def test_the_blocks_of_settings_can_be_put_into_the_config(tmp_path):
    from encoders import tiny_bert
    from thinc.api import Config

    text = (ROOT / "configs" / "llm.cfg").read_text(encoding="utf-8")
    request, nearest, _ = blocks("ini")
    for block in (request, nearest):
        for section in re.findall(r"^\[(.+)\]$", block, re.MULTILINE):
            text = re.sub(rf"^\[{re.escape(section)}\]\n(?:(?!\[).*\n)*", "", text, flags=re.M)
        text += "\n" + block
    text = text.replace("sentence-transformers/all-MiniLM-L6-v2", str(tiny_bert(tmp_path / "e")))
    config = Config().from_str(text, overrides={"paths.taxonomy": "multiconer2"})
    gold = spacy.blank("en")("pelé in lyon")
    gold.set_ents([spacy.tokens.Span(gold, 0, 1, "Athlete")], default="outside")
    DocBin(docs=[gold]).to_disk(tmp_path / "gold.spacy")
    config["initialize"]["components"]["finegrained_llm"]["examples"] = str(tmp_path / "gold.spacy")
    nlp = load_model_from_config(config, auto_fill=True)
    nlp.initialize()
    nlp.to_disk(tmp_path / "model")
    (tmp_path / "e").rename(tmp_path / "gone")
    bodies = [
        made.get_pipe("finegrained_llm").bodies([made.make_doc("serena in lyon")])
        for made in (nlp, spacy.load(tmp_path / "model"))
    ]
    assert bodies[0] == bodies[1]
    (body,) = bodies[0]
    assert "Text: pelé in lyon\n" in body["messages"][0]["content"]
    assert body["max_completion_tokens"] == 2000
    assert "max_tokens" not in body
