"""Features of a sentence, against lists written by hand."""

import pytest

from spacy_finegrained_ner.baselines.crf.features import (
    FeatureSettings,
    sentence_features,
)
from spacy_finegrained_ner.baselines.crf.gazetteer import Gazetteer, read_gazetteer
from spacy_finegrained_ner.settings import settings_of

OFF = {
    "affixes": 0,
    "shape": False,
    "flags": False,
    "pos": False,
    "window": 0,
    "bigrams": False,
    "ends": False,
}


def features(text: str, **settings) -> list[list[str]]:
    """With `word/POS/TAG` for each word, and only the groups that are named."""
    parts = [token.split("/") for token in text.split()]
    words, pos, tags = ([part[i] if len(part) > i else "" for part in parts] for i in range(3))
    return sentence_features(words, FeatureSettings(**{**OFF, **settings}), pos=pos, tags=tags)


def test_all_features_of_a_sentence():
    found = sentence_features(
        ["in", "Lyon", "2024"],
        FeatureSettings(affixes=2, window=1),
        pos=["ADP", "PROPN", ""],
        tags=["IN", "NNP", "CD"],
        gazetteer=[[], ["B-HumanSettlement", "B-SportsGRP"], []],
    )
    assert [sorted(word) for word in found] == [
        sorted(
            [
                *("bias", "begin"),
                *("0:prefix1=i", "0:suffix1=n"),
                *("0:shape=xx", "0:lower=in", "0:short=x", "0:pos=ADP", "0:tag=IN"),
                *("+1:lower=lyon", "+1:short=Xx", "+1:pos=PROPN", "+1:tag=NNP"),
                *("0,+1:lower=in lyon", "0,+1:pos=ADP PROPN", "0,+1:tag=IN NNP"),
            ]
        ),
        sorted(
            [
                *("bias", "0:word=Lyon", "0:is=title"),
                *("0:prefix1=l", "0:prefix2=ly", "0:suffix1=n", "0:suffix2=on"),
                *("-1:lower=in", "-1:short=x", "-1:pos=ADP", "-1:tag=IN"),
                *("0:shape=Xxxx", "0:lower=lyon", "0:short=Xx", "0:pos=PROPN", "0:tag=NNP"),
                *("+1:lower=2024", "+1:short=d", "+1:tag=CD"),
                *("-1,0:lower=in lyon", "-1,0:pos=ADP PROPN", "-1,0:tag=IN NNP"),
                *("0,+1:lower=lyon 2024", "0,+1:pos=PROPN ", "0,+1:tag=NNP CD"),
                *("0:gazetteer=B-HumanSettlement", "0:gazetteer=B-SportsGRP"),
            ]
        ),
        sorted(
            [
                *("bias", "end", "0:is=digits"),
                *("0:prefix1=2", "0:prefix2=20", "0:suffix1=4", "0:suffix2=24"),
                *("-1:lower=lyon", "-1:short=Xx", "-1:pos=PROPN", "-1:tag=NNP"),
                *("0:shape=dddd", "0:lower=2024", "0:short=d", "0:tag=CD"),
                *("-1,0:lower=lyon 2024", "-1,0:pos=PROPN ", "-1,0:tag=NNP CD"),
            ]
        ),
    ]


@pytest.mark.parametrize(
    ("settings", "second"),
    [
        ({}, []),
        ({"affixes": 3}, ["0:prefix1=t", "0:suffix1=a", "0:prefix2=te", "0:suffix2=ea"]),
        ({"shape": True}, ["0:shape=xxx", "0:short=x"]),
        ({"flags": True}, []),
        ({"pos": True}, ["0:pos=NOUN", "0:tag=NN"]),
        ({"window": 1}, ["-1:lower=green", "+1:lower=?"]),
        ({"window": 9}, ["-1:lower=green", "+1:lower=?", "+2:lower=now"]),
        (
            {"window": 1, "bigrams": True},
            ["-1:lower=green", "+1:lower=?", "-1,0:lower=green tea", "0,+1:lower=tea ?"],
        ),
        (
            {"window": 2, "bigrams": True},
            [
                *("-1:lower=green", "+1:lower=?", "+2:lower=now"),
                *("-1,0:lower=green tea", "0,+1:lower=tea ?", "+1,+2:lower=? now"),
            ],
        ),
        ({"bigrams": True}, []),
        ({"ends": True}, []),
    ],
)
def test_each_group_can_be_switched(settings, second):
    found = features("green/ADJ/JJ tea/NOUN/NN ?/PUNCT/. now/ADV/RB", **settings)
    assert sorted(found[1]) == sorted(["bias", "0:lower=tea", *second])


def test_lower_case_text_has_no_feature_twice():
    for word in features("a bb ccc dddd eeeee", **{**vars(FeatureSettings()), "window": 3}):
        assert len(word) == len(set(word))
        assert not [feature for feature in word if "word=" in feature]


@pytest.mark.parametrize(
    ("word", "flags"),
    [
        ("Paris", ["title"]),
        ("UNO", ["upper"]),
        ("2024", ["digits"]),
        ("a4", ["digit"]),
        ("b-52", ["digit", "hyphen"]),
        ("-", ["punct"]),
        ("?!", ["punct"]),
        ("paris", []),
        ("居里", []),
    ],
)
def test_flags(word, flags):
    (found,) = features(word, flags=True)
    assert [f.removeprefix("0:is=") for f in found if f.startswith("0:is=")] == flags


def test_one_word_is_begin_and_end_and_no_words_have_no_features():
    assert features("tea", ends=True) == [["bias", "0:lower=tea", "begin", "end"]]
    assert features("") == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"window": -1},
            r"window of .* is -1, expected a whole number from 0",
        ),
        ({"window": 2.0}, r"window of .* is 2.0"),
        ({"window": True}, r"window of .* is True"),
        ({"affixes": 21}, r"affixes of .* is 21, .* to 20"),
        ({"affixes": "4"}, r"affixes of .* is '4'"),
        ({"pos": "yes"}, r"pos of .* is 'yes', expected true or false"),
        ({"bigrams": 1}, r"bigrams of .* is 1"),
        ({"ends": None}, r"ends of .* is None"),
        (
            {"suffixes": 4},
            r"unknown settings \['suffixes'\], expected some of \['affixes',",
        ),
        (["window"], r"is \['window'\], expected a block"),
    ],
)
def test_a_wrong_setting_is_named_with_its_block(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        settings_of(FeatureSettings, settings, "[components.crf.features]")
    assert "[components.crf.features]" in str(error.value)


NAMES = (
    "Green tea\tDrink\nGreen\tOtherPER\n\ngreen TEA\tOtherPROD\nNew York City\tHumanSettlement\n"
)


@pytest.fixture
def names(tmp_path):
    (tmp_path / "names.tsv").write_text("\ufeff" + NAMES, encoding="utf-8")
    return read_gazetteer(tmp_path / "names.tsv")


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("Green Tea", [["B-Drink", "B-OtherPROD"], ["I-Drink", "I-OtherPROD"]]),
        ("green paint", [["B-OtherPER"], []]),
        ("green new york", [["B-OtherPER"], [], []]),
        ("new york city", [["B-HumanSettlement"], *[["I-HumanSettlement"]] * 2]),
        ("green green", [["B-OtherPER"], ["B-OtherPER"]]),
        ("", []),
    ],
)
def test_the_longest_name_is_found(names, text, marks):
    assert names.marks(text.split()) == marks
    again = Gazetteer.from_lines(names.to_lines())
    assert again.marks(text.split()) == marks


def test_a_name_is_found_as_tokenized_and_as_cut_at_spaces(tmp_path):
    (tmp_path / "names.tsv").write_text("rock'n'roll radio\tMusicalGRP\n")
    found = read_gazetteer(tmp_path / "names.tsv", lambda text: text.replace("'", " ' ").split())
    assert set(found.names) == {
        ("rock'n'roll", "radio"),
        ("rock", "'", "n", "'", "roll", "radio"),
    }


def test_files_of_names_may_be_put_together(tmp_path):
    """Each with its byte order mark; other line separators are part of a name."""
    (tmp_path / "names.tsv").write_text("a\u2028b\tX\n\ufefftea\tDrink\n", encoding="utf-8")
    assert set(read_gazetteer(tmp_path / "names.tsv").names) == {("a", "b"), ("tea",)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("green tea\tDrink\nparis\n", "names.tsv:2: found 'paris', expected a name, a tab"),
        ("green tea\tDrink\tx\n", "names.tsv:1: found"),
        ("\tDrink\n", "names.tsv:1: found"),
        ("tea\t\n", "names.tsv:1: found"),
        ("\n \n", "names.tsv is empty"),
        (None, "names.tsv can't be read"),
        (b"\xff\xfe\x00", "names.tsv can't be read"),
    ],
)
def test_a_broken_gazetteer_is_told_with_its_line(tmp_path, content, message):
    path = tmp_path / "names.tsv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        read_gazetteer(path)
