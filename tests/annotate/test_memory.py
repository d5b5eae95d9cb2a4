"""Freed memory goes back to the system, now and then."""

import ctypes
import platform

import pytest

from spacy_finegrained_ner.annotate import memory, owner
from spacy_finegrained_ner.annotate.annotator import Annotator
from spacy_finegrained_ner.benchmark.annotating import resident_mib


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_what_was_freed_is_given_back():
    """Small pieces, of which one at the end is kept: glibc alone would keep all that is before."""
    pieces = [ctypes.create_string_buffer(100_000) for _ in range(3000)]
    full = resident_mib()
    del pieces[:-1]
    assert memory.give_back()
    assert full - resident_mib() > 200


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_another_allocator_is_left_alone(monkeypatch, error):
    def none(name):
        raise error

    memory._trim.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", none)
    assert not memory.give_back()
    memory._trim.cache_clear()


def test_an_annotator_does_it_after_many_texts(model, monkeypatch):
    done = []
    monkeypatch.setattr(owner, "give_back", lambda: done.append(True))
    monkeypatch.setattr(owner, "UNTIL_GIVEN_BACK", 100)
    with Annotator(model) as annotator:
        for texts in (60, 60, 60, 30):
            annotator.entities(["pelé"] * texts)
    assert len(done) == 1 + 1  # at the start, when nothing is known yet
    with Annotator(model) as annotator:
        for _ in range(4):
            annotator.entities(["pelé"] * 50)
    assert len(done) == 2 + 1 + 1


def test_an_annotator_does_it_when_it_has_grown(model, monkeypatch):
    done = []
    sizes = iter([100, 100, 119, 110, 121, 105, 125, 127, 105])
    monkeypatch.setattr(owner, "SMALL", 5)
    monkeypatch.setattr(owner, "give_back", lambda: done.append(len(asked)))
    monkeypatch.setattr(owner, "resident", lambda: next(sizes))
    asked = []
    with Annotator(model) as annotator:
        for _ in range(6):
            asked.append("pelé")
            annotator.entities(["pelé"])
        annotator.entities(["pelé"] * 5)  # a large batch: not asked
    # 100 is held at first, then 105, and never more than 1.2 times as much
    assert done == [1, 4, 6]


@pytest.mark.skipif(platform.system() != "Linux", reason="of /proc")
def test_how_much_there_is():
    assert memory.resident() / 2**20 == pytest.approx(resident_mib(), rel=0.02)
