"""What `crf_ner` does about CRFsuite: its tags, its log, its files."""

import json
import random
import warnings

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from pipelines import entities, examples
from spacy.tokens import Doc
from tagged import TEXTS, make_crf

from spacy_finegrained_ner.baselines.crf import crfsuite

TAGS = st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"])


class Given(crfsuite.CrfModel):
    """Gives the tags that are set."""

    def __init__(self) -> None: ...

    def tag(self, sentence):
        return self.tags


GIVEN = spacy.blank("en").add_pipe("crf_ner")
GIVEN._model = Given()
GIVEN.cfg = {"labels": ["A", "B"], "taxonomy": {"A": "C", "B": "C"}, "pos": []}


@given(st.lists(TAGS, max_size=8))
def test_any_tags_of_crfsuite_become_entities(tags):
    GIVEN._model.tags = tags
    doc = GIVEN(Doc(GIVEN.vocab, words=["w"] * len(tags)))
    found = ["O" if t.ent_iob_ == "O" else f"{t.ent_iob_}-{t.ent_type_}" for t in doc]
    # As conlleval has it: an entity begins where an I- goes on with nothing
    before = ["O", *tags][: len(tags)]
    assert found == [
        f"B-{tag[2:]}" if tag[0] == "I" and last[2:] != tag[2:] else tag
        for last, tag in zip(before, tags, strict=True)
    ]


def test_progress_is_reported_as_often_as_asked(capsys):
    nlp = make_crf(report_every=3, max_iterations=7)
    nlp.initialize(lambda: examples(nlp))
    out, err = capsys.readouterr()
    assert not out
    lines = err.splitlines()
    assert lines[0].startswith("crf_ner: ")
    assert "weights to learn" in lines[0]
    assert [line.split(":")[1] for line in lines[1:-1]] == [
        f" iteration {i} of at most 7" for i in (1, 3, 6)
    ]
    make_crf(max_iterations=7).initialize(lambda: examples(nlp))
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_ends_the_training(monkeypatch):
    def interrupt(owner, line):
        raise KeyboardInterrupt

    nlp = make_crf(report_every=1)
    monkeypatch.setattr(crfsuite, "say", interrupt)
    with pytest.raises(KeyboardInterrupt):
        nlp.initialize(lambda: examples(nlp))


def test_only_a_part_of_a_model_is_an_error_and_not_a_crash(trained, tmp_path):
    trained.to_disk(tmp_path / "model")
    file = tmp_path / "model" / "crf_ner" / "model"
    whole = file.read_bytes()
    for broken in (whole[:-1], whole[:40], whole + b"\0", b"PK" + whole[2:]):
        file.write_bytes(broken)
        with pytest.raises(ValueError, match=r"'crf_ner' can't be loaded.*not a model of CRFsuite"):
            spacy.load(tmp_path / "model")


def test_a_damaged_model_is_told_before_crfsuite_reads_it(trained, tmp_path):
    """Which would end the process, in most cases."""
    trained.to_disk(tmp_path)
    path = tmp_path / "crf_ner" / "model"
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(5):
        damaged = bytearray(whole)
        for _ in range(4):
            damaged[rng.randrange(len(whole))] ^= rng.randrange(1, 256)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"'crf_ner' can't be loaded.*not those of the model"):
            spacy.load(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="found 0 bytes that are not a model"):
        spacy.load(tmp_path)


def test_a_model_without_a_digest_is_loaded_with_a_warning(trained, tmp_path):
    """As it was saved before."""
    trained.to_disk(tmp_path / "old")
    path = tmp_path / "old" / "crf_ner" / "cfg"
    cfg = json.loads(path.read_text(encoding="utf-8"))
    assert len(cfg.pop("digest")) == 64
    path.write_text(json.dumps(cfg), encoding="utf-8")
    with pytest.warns(UserWarning, match="saved without a digest of its model.*Save it again"):
        old = spacy.load(tmp_path / "old")
    old.to_disk(tmp_path / "new")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert entities(spacy.load(tmp_path / "new")(TEXTS[0])) == entities(trained(TEXTS[0]))
