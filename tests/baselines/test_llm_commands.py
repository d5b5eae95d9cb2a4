"""`finegrained_llm` from the command line, and as a task of spacy-llm."""

import spacy
import srsly
from chatting import make_llm
from pipelines import SENTENCES, examples
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_finegrained_ner.baselines.llm.cache import FILE
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.labels.taxonomy import read_taxonomy

NAME = "finegrained_llm"
TEXTS = [" ".join(word.rsplit("/", 1)[0] for word in text.split()) for text in SENTENCES]


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_evaluate_report_and_the_cache_from_the_command_line(chat, tmp_path):
    nlp = make_llm(chat.url, cache=str(tmp_path / "cache"))
    data = tmp_path / "gold.spacy"
    DocBin(docs=[example.reference for example in examples(nlp)]).to_disk(data)
    nlp.to_disk(tmp_path / "model")
    chat.asked.clear()
    done = run("evaluate", tmp_path / "model", data, "--output", tmp_path / "scores.json")
    assert done.exit_code == 0, done.output
    scores = srsly.read_json(tmp_path / "scores.json")
    assert scores["gold_tokens"]["ents_f"] == scores["running_text"]["ents_f"] == 1.0
    assert set(chat.asked.values()) == {1}  # both passes ask the same
    done = run("report", tmp_path / "model", data, "--output", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    assert "marie curie" in (tmp_path / "page.html").read_text()
    assert set(chat.asked.values()) == {1}
    shown = run("llm-cache", tmp_path / "cache")
    assert f"{len(TEXTS)} answers, " in shown.output
    assert (tmp_path / "cache" / FILE).exists()
    gone = run("llm-cache", tmp_path / "cache", "--delete")
    assert gone.exit_code == 0
    assert "Deleted 5 answers" in gone.output
    assert not (tmp_path / "cache").exists()
    again = run("llm-cache", tmp_path / "cache", "--delete")
    assert again.exit_code == 1
    assert "there is no cache" in again.output


def test_of_a_cache_only_the_answers_are_deleted(tmp_path, chat):
    make_llm(chat.url, cache=str(tmp_path))("lyon")
    (tmp_path / "notes.txt").write_text("mine")
    assert run("llm-cache", tmp_path, "--delete").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / FILE).write_text("no database" * 100)
    shown = run("llm-cache", tmp_path)
    assert shown.exit_code == 1
    assert "can't be used as a cache" in shown.output


def test_the_task_of_spacy_llm(tmp_path):
    """Its interface: prompts of Docs, and Docs of responses, each a list of one."""
    from chat_server import answer

    from spacy_finegrained_ner.baselines.llm.spacy_llm_task import build_spacy_llm_task_v1

    nlp = spacy.blank("en")
    gold = examples(nlp)
    path = tmp_path / "gold.spacy"
    DocBin(docs=[example.reference for example in gold]).to_disk(path)
    task = build_spacy_llm_task_v1("multiconer2", examples=str(path), number=2)
    docs = [nlp.make_doc(text) for text in (*TEXTS, "no answer")]
    prompts = list(task.generate_prompts(docs))
    assert all(prompt.count("Text: ") == 3 for prompt in prompts[-1:])
    responses = [[answer(prompt.rpartition("Text: ")[2])] for prompt in prompts[:-1]] + [["?"]]
    parsed = list(task.parse_responses(docs, responses))
    found = [spacy.training.Example(d, eg.reference) for d, eg in zip(parsed, gold, strict=False)]
    assert task.scorer(found)["ents_f"] == 1.0
    assert [doc.has_annotation("ENT_IOB") for doc in parsed] == [True] * 5 + [False]
    assert task.labels == tuple(sorted(read_taxonomy().fine))
    assert "{{ text }}" in task.prompt_template


def test_a_broken_cache_can_be_deleted(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "answers.sqlite3").write_bytes(b"pel\xc3\xa9 is no database" * 100)
    result = run("llm-cache", folder)
    assert result.exit_code == 1
    assert "used as a cache" in result.output
    result = run("llm-cache", folder, "--delete")
    assert result.exit_code == 0, (result.output, result.exception)
    assert not folder.exists()
