"""What a tiny encoder of lower-case words makes of texts."""

import pytest
from encoders import tiny_bert, tiny_roberta
from patients import config, healthy, text, write

from spacy_finegrained_ner.data.forms.record import Options
from spacy_finegrained_ner.doctor.data import read_data
from spacy_finegrained_ner.doctor.encoder import check_encoder, load_tokenizer
from spacy_finegrained_ner.doctor.run import read_run


def examined(folder, encoder, parts, **changes):
    """The findings, by name and part."""
    data, _ = read_data(write(folder / "data", parts), "en", Options())
    config("default", **changes).to_disk(folder / "my.cfg")
    run, _ = read_run(folder / "my.cfg", {"paths.encoder": str(encoder)}, None)
    tokenizer, missing = load_tokenizer(run)
    found = missing if tokenizer is None else check_encoder(run, data, tokenizer)
    return {(one.name, one.what.split(":")[0]): one for one in found}


def test_what_it_knows_gives_nothing(tmp_path, encoder):
    parts = healthy()
    for texts in parts.values():
        for one in texts:  # its vocabulary is of few words, and of letters
            one[:] = [["tea" if token[0] == "." else "green", token[1]] for token in one]
    parts["train"][0][0][0] = "GREEN"  # it is uncased
    assert examined(tmp_path, encoder, parts) == {}


def test_what_it_does_not_know_is_found(tmp_path, encoder):
    parts = {"train": [text("green tea"), text("茶 ñ茶 tea 茶")], "valid": [text("green tea")]}
    found = examined(tmp_path, encoder, parts)
    (only,) = found.values()
    assert (only.name, only.severity) == ("unknown-wordpieces", "error")
    assert "3 of 6 tokens (50%)" in only.what
    assert only.where == ("茶 (2)", "ñ茶 (1)")


def test_words_in_many_pieces_are_found(tmp_path, encoder):
    parts = {"train": [text("krankenwagen feuerwehr")], "valid": [text("green tea")]}
    found = examined(tmp_path, encoder, parts)
    assert set(found) == {("many-wordpieces", "train")}
    assert "10.5 wordpieces" in found["many-wordpieces", "train"].what


@pytest.mark.parametrize(
    ("words", "severity", "said"),
    [
        ("green tea", "note", "0% of the texts have a capital letter"),
        ("GREEN TEA", "warning", "100% of the texts are in capitals"),
        ("Green tea", None, ""),
    ],
)
def test_casing(tmp_path, words, severity, said):
    """Of an encoder with case; one without takes all of it."""
    cased, uncased = tiny_roberta(tmp_path / "cased"), tiny_bert(tmp_path / "uncased")
    parts = {"train": [text(words)]}
    found = examined(tmp_path, cased, parts).get(("casing-unfit", "train"))
    assert (found and found.severity) == severity
    assert not found or said in found.what
    assert ("casing-unfit", "train") not in examined(tmp_path, uncased, parts)


def test_what_is_cut_and_what_is_windowed(tmp_path):
    """By hand: of [CLS], 40 words of one piece and [SEP] the first 32 are read, so 31 words."""
    short = tiny_bert(tmp_path / "short", max_length=32)
    words = text(" ".join(["tea"] * 40))
    parts = {"train": [words, text("green tea")], "valid": [text(" ".join(["tea"] * 30))]}
    found = examined(tmp_path, short, parts)
    (only,) = found.values()
    assert only.name == "cut-tokens"
    assert "9 of 42 tokens" in only.what
    spans = "components__transformer__model__get_spans__"
    found = examined(tmp_path, short, parts, **{f"{spans}window": 30, f"{spans}stride": 30})
    (only,) = found.values()
    assert only.name == "windows"
    assert "1 of 2 texts" in only.what


def test_what_lies_between_the_windows_is_found(tmp_path, encoder):
    """By hand: windows 0-10, 15-25 and, with what is left, 30-42 leave 5 and 5."""
    parts = {"train": [text(" ".join(["tea"] * 42)), text("green tea")]}
    spans = "components__transformer__model__get_spans__"
    found = examined(tmp_path, encoder, parts, **{f"{spans}window": 10, f"{spans}stride": 15})
    cut = found["cut-tokens", "train"]
    assert cut.severity == "error"
    assert "10 of 44 tokens" in cut.what
    assert "stride" in cut.do
    found = examined(tmp_path, encoder, parts, **{f"{spans}window": 10, f"{spans}stride": 10})
    assert {name for name, _ in found} == {"windows"}


@pytest.mark.parametrize(
    ("name", "severity"),
    [("nobody/nothing", "note"), ("./nothing", "error"), ("a/b/nothing", "error")],
)
def test_one_that_is_not_there_is_told(tmp_path, monkeypatch, name, severity):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = examined(tmp_path, name, {"train": [text("green tea")]})
    (only,) = found.values()
    assert (only.name, only.severity) == ("no-encoder", severity)
    assert "fetch-encoder" in only.do
