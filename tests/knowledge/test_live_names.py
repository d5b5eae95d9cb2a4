"""Names that are added and removed while others read."""

import pickle
from threading import Event, Thread

import pytest
from knowledge_names import NAMES, builder, names_file, words

from spacy_finegrained_ner.knowledge.form import Form
from spacy_finegrained_ner.knowledge.live import LiveNames


@pytest.fixture
def live():
    return LiveNames(builder().names())


def seen(live: LiveNames, text: str, training=False) -> dict[tuple[int, int], list[str]]:
    now = live.now
    found = live.find([words(text)], now, training)
    rows = zip(found.start, found.end, found.part, found.number, strict=True)
    described = [((int(s), int(e)), now.described(int(p), int(n))) for s, e, p, n in rows]
    assert len({span for span, _ in described}) == len(described)  # none twice
    return {span: sorted(facts["topics"]) for span, facts in described}


def test_added_and_removed(live):
    assert seen(live, "the Kestrel 4 in lyon") == {(3, 4): ["city"], (4, 5): ["city", "player"]}
    assert live.add(["Kestrel 4", "kestrel-5"], "laptop", ["Laptop"]) == 2
    assert seen(live, "the Kestrel 4")[1, 3] == ["laptop"]
    assert live.now.described(1, 0)["types"] == ["Laptop"]
    assert live.add("KESTREL 4", "laptop") == 0
    assert live.remove("Kestrel 4") == 1
    assert seen(live, "the Kestrel 4") == {}
    assert live.remove("Kestrel 4") == 0
    assert seen(live, "kestrel 5") == {(0, 2): ["laptop"]}
    assert live.remove(["Lyon", "Atlantis"]) == 1
    assert seen(live, "in lyon") == {(0, 1): ["city"]}
    assert live.add("Lyon", "film") == 1
    assert seen(live, "in lyon")[1, 2] == ["city", "film", "player"]


def test_a_name_of_the_file_has_both(live):
    live.add("Pelé", "film", source="mine")
    assert seen(live, "pele") == {(0, 1): ["film", "player"]}
    assert live.now.described(1, 0)["sources"] == ["web", "mine"]


def test_a_name_goes_with_and_without_its_article(live):
    live.add("The Blue Angel", "film")
    assert set(seen(live, "the blue angel")) == {(0, 3), (1, 3)}
    live.remove("The Blue Angel")
    assert seen(live, "the blue angel") == {}


def test_the_names_in_a_text_are_listed(live):
    live.add("Kestrel 4", "laptop", ["Laptop"])
    assert live.listed(words("the Kestrel 4 and tea")) == [
        {"start": 1, "end": 3, "topics": ["laptop"], "types": ["Laptop"], "sources": ["added"]},
        {
            **{"start": 4, "end": 5, "topics": ["beverage"], "types": ["Drink", "Food"]},
            "sources": ["lab"],
        },
    ]
    assert live.listed([]) == live.listed(["nothing"]) == []


def test_common_words_are_found_in_training_only_or_when_they_are_added(live):
    live.common = ["in ", "to "]
    assert seen(live, "in to lyon") == {(2, 3): ["city", "player"]}
    assert set(seen(live, "in to lyon", training=True)) == {(0, 1), (1, 2), (2, 3)}
    live.add("In", "film")
    assert seen(live, "in to") == {(0, 1): ["city", "film"]}
    live.remove("In")
    assert seen(live, "in to", training=True) == {(1, 2): ["film"]}


@pytest.mark.parametrize("name", ["", "?!", 3, None])
def test_what_is_no_name_is_an_error_before_anything_is_added(live, name):
    with pytest.raises(ValueError, match="is no name: expected a text with a letter"):
        live.add(["Kestrel 4", name], "laptop")
    assert seen(live, "kestrel 4") == {}


def test_types_of_a_topic_of_the_file_are_its_own(live):
    with pytest.raises(ValueError, match=r"'city' has types .*HumanSettlement.*another topic"):
        live.add("Kestrel 4", "city", ["Laptop"])


def test_changes_come_back(live):
    live.common = ["in "]
    live.add("Kestrel 4", "laptop", ["Laptop"])
    live.remove("Lyon")
    text = "in lyon to kestrel 4"
    again = LiveNames(builder().names())
    again.change(live.changes())
    assert seen(again, text) == seen(live, text) == {(2, 3): ["film"], (3, 5): ["laptop"]}
    assert again.now.described(1, 0) == live.now.described(1, 0)
    assert seen(pickle.loads(pickle.dumps(live)), text) == seen(live, text)


def test_other_names_in_place_of_the_file(live, tmp_path):
    live.add("Kestrel 4", "laptop")
    live.use(names_file(tmp_path / "names", [*NAMES[:3], ("Oslo", "city", ["web"])]))
    assert seen(live, "oslo lyon kestrel 4") == {(0, 1): ["city"], (2, 4): ["laptop"]}
    with pytest.raises(ValueError, match=r"were built with .*case=True.*expected .*case=False"):
        live.use(builder(Form(case=True)).names())


def test_readers_see_all_of_a_change_or_nothing(live):
    """While one thread adds and removes two names at once, others never see one of them."""
    text = [words("kestrel 4 and gannet 7")]
    stop, odd, counts = Event(), [], set()

    def read():
        while not stop.is_set():
            now = live.now
            found = live.find(text, now)
            counts.add(len(found))
            if len(found) not in (0, 2):
                odd.append(found)
            for part, number in zip(found.part.tolist(), found.number.tolist(), strict=True):
                if now.described(part, number)["topics"] != ["laptop"]:
                    odd.append(number)

    threads = [Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(100):
        live.add(["Kestrel 4", "Gannet 7", f"other {i}"], "laptop")
        assert len(live.find(text)) == 2  # at once
        live.remove(["Kestrel 4", "Gannet 7"])
        assert len(live.find(text)) == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert not odd
    assert counts == {0, 2}


def test_many_forms_are_not_kept(live, monkeypatch):
    monkeypatch.setattr("spacy_finegrained_ner.knowledge.forms._MOST", 50)
    for i in range(200):
        assert len(live.find([[f"word{i}", "lyon"]])) == 1
    assert len(live.now.forms) <= 50


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("a", "'a' can't be added. Left out are names that are a single letter"),
        (["Lyon", "x " * 33], "longer than 32 words"),
        ("a" * 600, "longer than 32 words or 512 characters"),
        ("a" * 100_000, "longer than 32 words"),
        (["Lyon", None], "None is no name"),
        (None, "None is no name: expected a text, or several"),
        (b"Lyon", "b'Lyon' is no name"),
    ],
)
def test_what_a_file_could_not_have_is_not_added(live, names, message):
    before = live.now
    with pytest.raises(ValueError, match=message):
        live.add(names, "film")
    assert live.now is before


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (
            {"topic": "laptop", "types": "Laptop"},
            r"types of 'laptop' are 'Laptop', expected a list",
        ),
        ({"topic": "laptop", "types": ["Laptop", 5]}, r"expected a list of texts"),
        ({"topic": "laptop", "types": ["\ud800"]}, r"expected a list of texts"),
        ({"topic": None}, "The topic is None, expected a text"),
        ({"topic": " "}, "The topic is ' ', expected a text"),
        ({"topic": "a\ud800"}, "The topic is .* expected a text"),
        ({"topic": "film", "source": 5}, "The source is 5, expected a text"),
    ],
)
def test_a_topic_and_its_types_are_texts(live, facts, message):
    before = live.now
    with pytest.raises(ValueError, match=message):
        live.add("Kestrel 4", **facts)
    assert live.now is before


@pytest.mark.parametrize("words", ["in lyon", [None], [5]])
def test_what_are_no_words_is_told(live, words):
    with pytest.raises(ValueError, match="are no words: expected such as"):
        live.listed(words)


def test_removed_with_its_article_it_is_gone_without_it_too(live):
    live.add("The Blue Angel", "film")
    live.add("Blue Angel", "city")
    assert live.remove("Blue Angel") == 1
    assert seen(live, "the blue angel") == {(0, 3): ["film"]}
    live.add("Blue Angel", "city")
    assert live.remove("The Blue Angel") == 1
    assert seen(live, "the blue angel") == {}
    live.add(["The Who", "WHO"], "city")
    assert live.remove("The Who") == 1  # a word alone is another name
    assert seen(live, "the who") == {(1, 2): ["city"]}
