import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import examples, make_nlp
from spacy import registry
from spacy.schemas import ConfigSchemaTraining
from spacy.util import fix_random_seed
from thinc.api import Config

from spacy_finegrained_ner.training.batcher import build_batch_by_length_v1


def texts(count: int, seed: int = 0) -> list[str]:
    """All different, of 1 to 30 words, in random order."""
    rng = random.Random(seed)
    return [f"{number} " + "w " * rng.randint(0, 29) for number in range(count)]


def padded(batches) -> int:
    """The words of the batches with padding."""
    return sum(len(batch) * max(map(len, batch)) for batch in batches)


@settings(deadline=None)
@given(
    st.lists(st.text(max_size=8), max_size=80),
    st.integers(1, 9),
    st.integers(0, 40),
    st.integers(0, 5),
)
def test_every_item_once_in_batches_of_the_size(items, size, more, seed):
    buffer = size + more
    random.seed(seed)
    batches = list(build_batch_by_length_v1(size, buffer)(items))
    assert Counter(item for batch in batches for item in batch) == Counter(items)
    full, rest = divmod(len(items), buffer)
    expected = full * sizes_of(buffer, size) + sizes_of(rest, size)
    assert sorted(map(len, batches)) == sorted(expected)


def sizes_of(count: int, size: int) -> list[int]:
    return [min(size, count - first) for first in range(0, count, size)]


def test_the_batches_of_a_buffer_by_hand():
    items = ["ccc", "a", "dddd", "bb", "x" * 9, "y" * 7, "z" * 8]
    batches = list(build_batch_by_length_v1(2, 4)(items))
    # Neighbors in length, and the second buffer stays behind the first.
    assert sorted(batches[:2]) == [["a", "bb"], ["ccc", "dddd"]]
    assert sorted(batches[2:]) == [["x" * 9], ["y" * 7, "z" * 8]]


def test_less_padding_than_batches_in_the_order_of_the_texts():
    items = texts(512)
    words = sum(map(len, items))
    plain = [items[first : first + 16] for first in range(0, 512, 16)]
    found = padded(build_batch_by_length_v1(16)(items))
    assert found - words < 0.1 * (padded(plain) - words)
    # And a small buffer lies between.
    assert found < padded(build_batch_by_length_v1(16, 64)(items)) < padded(plain)


def test_neither_short_nor_long_texts_come_first():
    random.seed(1)
    batches = list(build_batch_by_length_v1(4)(texts(400)))
    longest = [max(map(len, batch)) for batch in batches]
    half = len(longest) // 2
    assert longest != sorted(longest)
    # By length, the halves would differ by about 30 characters.
    assert abs(sum(longest[:half]) - sum(longest[half:])) / half < 10


def test_the_seed_decides_the_order():
    batcher, items = build_batch_by_length_v1(4), texts(100)

    def batches(seed: int) -> list[list[str]]:
        fix_random_seed(seed)
        return list(batcher(items))

    assert batches(0) == batches(0)
    assert batches(0) != batches(1)
    assert sorted(batches(0)) == sorted(batches(1))


def test_a_length_of_ones_own():
    items = ["aaa", "b", "cc", "dddd"]
    batches = list(build_batch_by_length_v1(2, 4, get_length=lambda item: -len(item))(items))
    assert sorted(batches) == [["cc", "b"], ["dddd", "aaa"]]


@settings(deadline=None)
@given(st.lists(st.text(max_size=12), max_size=60), st.integers(1, 9), st.integers(1, 30))
def test_a_bound_on_the_padded_length(items, size, most):
    batches = list(build_batch_by_length_v1(size, 64, max_padded=most)(items))
    assert Counter(item for batch in batches for item in batch) == Counter(items)
    for batch in batches:
        assert len(batch) <= size
        assert len(batch) == 1 or padded([batch]) <= most


def test_batches_bounded_by_length_have_about_as_many_words_each():
    items = [text.split() for text in texts(1000)]
    batches = list(build_batch_by_length_v1(1000, 1000, max_padded=320)(items))
    words = [sum(map(len, batch)) for batch in batches]
    assert sum(words) / len(words) > 0.9 * 320  # hardly any padding
    assert max(map(len, batches)) > 4 * min(map(len, batches[:-1]))


def test_items_are_taken_as_they_are_needed():
    taken = []

    def stream():
        for item in "abcdefgh":
            taken.append(item)
            yield item

    next(iter(build_batch_by_length_v1(2, 4)(stream())))
    assert taken == list("abcd")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 0}, "size of .* is 0, expected a whole number >= 1"),
        ({"size": 1, "buffer": 0}, "buffer of .* is 0, expected a whole number >= 1"),
        ({"size": 9, "buffer": 8}, "size of .* is 9 and buffer is 8, expected size <= buffer"),
        ({"size": 2, "max_padded": -1}, "max_padded of .* is -1, expected a whole number >= 0"),
    ],
)
def test_bad_sizes_are_named_at_once(settings, message):
    with pytest.raises(ValueError, match=message):
        build_batch_by_length_v1(**settings)


CONFIG = """
[training.batcher]
@batchers = "spacy-finegrained-ner.batch_by_length.v1"
size = 2
buffer = 4
get_length = null
"""


def test_as_the_batcher_of_a_config():
    nlp = make_nlp()
    training = nlp.config.merge(Config().from_str("[training]\n" + CONFIG)).interpolate()
    resolved = registry.resolve(training["training"], schema=ConfigSchemaTraining)
    data = examples(nlp)
    batches = list(resolved["batcher"](data))
    assert sorted(len(batch) for batch in batches) == [1, 2, 2]
    assert {id(eg) for batch in batches for eg in batch} == {id(eg) for eg in data}
