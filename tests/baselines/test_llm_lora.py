"""A language model learns answers: masks by hand, the loss by hand, and a training that goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
import torch
from safetensors.torch import load_file
from tiny_llm import TEMPLATE, chats, tiny_llm, tiny_tokenizer
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from spacy_finegrained_ner.baselines.llm.chat import Chat, write_chats
from spacy_finegrained_ner.baselines.llm.lora.model import add_lora, learning, load_model, save
from spacy_finegrained_ner.baselines.llm.lora.tokens import (
    IGNORED,
    Tokens,
    batch_at,
    padded,
    tokens_of,
)
from spacy_finegrained_ner.baselines.llm.lora.training import (
    Training,
    answer_loss,
    fine_tune,
    mean_loss,
)
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.errors import UserError

CPU = torch.device("cpu")
SETTINGS = Training(steps=6, batch=3, at_once=3, rate=1e-2, seed=0, look_every=4, save_every=2)


def chat(*turns: tuple[str, str]) -> Chat:
    return Chat.model_validate({"messages": [{"role": r, "content": c} for r, c in turns]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_llm(tmp_path_factory.mktemp("tiny"), dropout=0.2)


def tuned(folder):
    model, tokenizer = load_model(str(folder), "float32", CPU)
    return add_lora(model, 2, 0), tokens_of(tokenizer, chats(10)), tokenizer


def test_only_the_answer_and_its_end_are_learned():
    tokenizer = tiny_tokenizer()
    (text,) = tokens_of(tokenizer, [chat(("user", "ab"), ("assistant", "c d"))])
    assert tokenizer.decode(text.ids) == "<user>ab<end>\n<assistant>c d<end>"
    user, assistant, end = (tokenizer.convert_tokens_to_ids(f"<{x}>") for x in
                            ("user", "assistant", "end"))  # fmt: skip
    a, b, c, d, space, line = (tokenizer.convert_tokens_to_ids(x) for x in "abcd \n")
    assert text.ids == [user, a, b, end, line, assistant, c, space, d, end]
    assert (text.prompt, text.answer) == (6, 4)
    ids, mask, learned = padded([text, Tokens([7, 8], 1)], CPU)
    assert ids.tolist() == [text.ids, [7, 8, *[0] * 8]]
    assert mask.tolist() == [[1] * 10, [1, 1, *[0] * 8]]
    assert learned.tolist() == [
        [*[IGNORED] * 6, c, space, d, end],
        [IGNORED, 8, *[IGNORED] * 8],
    ]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "has no chat template. Expected a model that was made to follow instructions"),
        ("{{ raise_exception('no assistants') }}", r"does not take a chat of \['user', 'assist"),
        ("{{ messages | length }}", "writes the prompt otherwise once there is an answer"),
    ],
)
def test_a_template_that_can_not_be_learned_from(template, message):
    with pytest.raises(UserError, match=message):
        tokens_of(tiny_tokenizer(template), [chat(("user", "a"), ("assistant", "b"))])


@pytest.mark.parametrize("keeps", [True, False])
def test_the_loss_is_that_of_each_token_of_the_answer_by_what_is_before_it(
    folder, keeps, monkeypatch
):
    """Each text alone, token by token, against the batch."""
    if not keeps:
        where = "spacy_finegrained_ner.baselines.llm.lora.training._keeps_late_scores"
        monkeypatch.setattr(where, lambda model: False)
    model, texts, _ = tuned(folder)
    model.eval()
    some = [texts[0], texts[3], texts[7]]
    assert len({len(text.ids) for text in some}) == 3
    expected = 0.0
    with torch.no_grad():
        for text in some:
            for place in range(text.prompt, len(text.ids)):
                scores = model(input_ids=torch.tensor([text.ids[:place]])).logits[0, -1]
                expected -= float(scores.log_softmax(-1)[text.ids[place]])
        assert float(answer_loss(model, some, CPU)) == pytest.approx(expected, rel=1e-5)
        mean = expected / sum(text.answer for text in some)
        assert mean_loss(model, some, 2, CPU) == pytest.approx(mean, rel=1e-5)


def test_each_epoch_has_all_texts_once_and_of_about_one_length_in_a_batch():
    lengths = tuple(range(100, 0, -1))
    epochs = [
        [batch_at(step, lengths, 8, 1) for step in range(start, start + 13)] for start in (0, 13)
    ]
    for batches in epochs:
        assert Counter(place for batch in batches for place in batch) == Counter(range(100))
        assert all(max(batch) - min(batch) < 8 for batch in batches)  # one window here
    assert epochs[0] != epochs[1]
    assert batch_at(3, lengths, 8, 1) == epochs[0][3] != batch_at(3, lengths, 8, 2)


def test_a_step_in_parts_is_the_whole_step(folder, tmp_path):
    found = []
    for at_once in (3, 1):
        still = tiny_llm(tmp_path / f"still{at_once}")
        model, texts, _ = tuned(still)
        settings = Training(2, 3, at_once, 1e-2, 0, 9, 9)
        (tmp_path / str(at_once)).mkdir()
        done = fine_tune(model, texts, settings, tmp_path / str(at_once))
        found.append(({k: w.detach().clone() for k, w in learning(model).items()}, done.log))
    for name, weight in found[0][0].items():
        torch.testing.assert_close(weight, found[1][0][name], rtol=1e-4, atol=1e-6)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        assert one == pytest.approx(other, rel=1e-5)


def test_the_adapter_learns_and_nothing_else(folder, tmp_path):
    model, texts, tokenizer = tuned(folder)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    settings = Training(30, 5, 5, 3e-2, 0, 10, 30)
    done = fine_tune(model, texts[:5], settings, tmp_path, texts[5:])
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name]) != ("lora_" in name), name
    losses = [row["loss"] for row in done.log]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert [row["step"] for row in done.log if "valid_loss" in row] == [10, 20, 30]
    # What is saved says the same, with peft and without
    model.eval()
    ids = torch.tensor([texts[0].ids])
    with torch.no_grad():
        expected = model(input_ids=ids).logits
        save(model, tokenizer, tmp_path, merged=True)
        merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
        torch.testing.assert_close(merged(input_ids=ids).logits, expected, rtol=1e-4, atol=1e-5)
        plain, again = load_model(str(tmp_path / "merged"), "float32", CPU)
        assert again.chat_template == TEMPLATE
        torch.testing.assert_close(plain(input_ids=ids).logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stop", [1, 3, 4, 5])
def test_a_training_that_was_stopped_ends_as_one_that_was_not(folder, tmp_path, stop):
    """With dropout, and in the middle of an epoch."""

    class Stopped(Exception):
        pass

    def end(step: int) -> None:
        if step == stop:
            raise Stopped

    (tmp_path / "one").mkdir()
    model, texts, _ = tuned(folder)
    one = fine_tune(model, texts, SETTINGS, tmp_path / "one", texts[:2])
    (tmp_path / "two").mkdir()
    other, _, _ = tuned(folder)
    with pytest.raises(Stopped):
        fine_tune(other, texts, SETTINGS, tmp_path / "two", texts[:2], end)
    steps = []
    other, _, _ = tuned(folder)
    two = fine_tune(other, texts, SETTINGS, tmp_path / "two", texts[:2], steps.append)
    assert steps[0] == stop - stop % SETTINGS.save_every + 1  # nothing more is done again
    assert two.log == one.log
    assert [row["step"] for row in two.log] == [1, 2, 3, 4, 5, 6]
    for name, weight in learning(model).items():
        assert torch.equal(weight, learning(other)[name]), name
    logs = [(tmp_path / name / "log.jsonl").read_text() for name in ("one", "two")]
    assert logs[0] == logs[1]
    assert len(logs[0].splitlines()) == 6


def test_a_loss_that_is_no_number_ends_it(folder, tmp_path):
    model, texts, _ = tuned(folder)
    with torch.no_grad():
        next(iter(learning(model).values())).fill_(float("nan"))
    with pytest.raises(UserError, match=r"The loss is nan.*Take a lower --rate"):
        fine_tune(model, texts, SETTINGS, tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def command(model, data, output, *more: object) -> list[str]:
    fixed = ("--steps", 40, "--batch", 2, "--rank", 2, "--save-every", 1, "--device", "cpu")
    return [str(x) for x in ("fine-tune-llm", model, data, output, *fixed, *more)]


def test_killed_and_started_again_it_ends_as_if_nothing_had_been(folder, tmp_path):
    write_chats(chats(10), tmp_path / "chats.jsonl")
    write_chats(chats(4), tmp_path / "valid.jsonl")
    asked = (folder, tmp_path / "chats.jsonl")
    more = ("--valid", tmp_path / "valid.jsonl")
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "spacy", "finegrained-ner", *command(*asked, killed, *more)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Sums are added up in another order by another number of threads
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    deadline = time.monotonic() + 300
    while not (killed / "checkpoint.pt").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (killed / "adapter").exists()  # it was not done
    before = torch.load(killed / "checkpoint.pt", weights_only=True)["steps"]
    assert 1 <= before < 40
    runner = CliRunner()
    for output in (killed, tmp_path / "undisturbed"):
        done = runner.invoke(app, command(*asked, output, *more))
        assert done.exit_code == 0, done.output
        assert "10 texts" in done.output
    results = [
        load_file(output / "adapter" / "adapter_model.safetensors")
        for output in (killed, tmp_path / "undisturbed")
    ]
    assert results[0].keys() == results[1].keys() != set()
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    result = json.loads((killed / "result.json").read_text())
    assert result["steps"] == 40
    assert result["valid_loss"] > 0
    # With other settings it is not the same one
    done = runner.invoke(app, command(*asked, killed, "--rank", 4))
    assert done.exit_code == 1
    assert "rank was 2, now 4" in done.stderr
    assert "valid was" in done.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--dtype", "float8"), "--dtype is 'float8', expected one of float32, bfloat16"),
        (("--device", "gpu"), "gpu: there is no such device"),
        (("--max-tokens", "3"), "no text has 3 tokens or fewer"),
        (("--valid", "nothing.jsonl"), "nothing.jsonl"),
    ],
)
def test_what_can_not_be_done_is_told(folder, tmp_path, more, message):
    write_chats(chats(3), tmp_path / "chats.jsonl")
    asked = command(folder, tmp_path / "chats.jsonl", tmp_path / "out", *more)
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 1
    assert message in done.stderr


@pytest.mark.parametrize("name", ["nothing.gguf", "no/such/model"])
def test_a_model_that_is_not_there(name, tmp_path):
    write_chats(chats(3), tmp_path / "chats.jsonl")
    done = CliRunner().invoke(app, command(name, tmp_path / "chats.jsonl", tmp_path / "out"))
    assert done.exit_code == 1
    assert name in done.stderr


def test_a_folder_of_something_else_is_left_alone(folder, tmp_path):
    write_chats(chats(3), tmp_path / "chats.jsonl")
    done = CliRunner().invoke(app, command(folder, tmp_path / "chats.jsonl", tmp_path))
    assert done.exit_code == 1
    assert "is not empty, and has no settings.json" in done.stderr


def test_longer_texts_are_left_out_and_counted(folder, tmp_path):
    write_chats([*chats(3), chat(("user", "a" * 90), ("assistant", "b"))], tmp_path / "chats.jsonl")
    asked = command(folder, tmp_path / "chats.jsonl", tmp_path / "out", "--max-tokens", 80)
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    assert "1 of 4 texts left out: more than 80 tokens" in done.output
