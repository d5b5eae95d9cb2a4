"""The file of names: what is built is what is read, and what is no such file is told."""

import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from knowledge_names import NAMES, SOURCES, builder, names_file

from spacy_finegrained_ner.knowledge.build import Builder
from spacy_finegrained_ner.knowledge.form import Form
from spacy_finegrained_ner.knowledge.names import Names


def described(names: Names, name: str) -> dict[str, list[str]]:
    (number,) = names.ids([names.form.of(name)])
    return names.described(number)


def test_what_is_built_is_read(tmp_path):
    names = names_file(tmp_path / "names")
    assert described(names, "marie curie") == {
        "topics": ["scientist", "film"],  # two sources say the first
        "types": ["Scientist", "VisualWork"],
        "sources": ["lab", "web"],
    }
    assert described(names, "green tea")["types"] == ["Drink", "VisualWork", "Food"]
    assert described(names, "AT&T") == {"topics": ["no_type"], "types": [], "sources": ["web"]}
    keys = {key for name, *_ in NAMES for key in Form().keys(name)}
    assert len(names) == len(keys)
    assert {names.key(number) for number in range(len(names))} == keys
    assert names.ids(["nothing ", "lyon"]) == [-1, -1]
    assert names.sources == [{"id": source, **facts} for source, facts in SOURCES.items()]
    assert dict(names.by_topic())["player"] == 17
    assert sum(count for _, count in names.by_source()) == len(names.topic_of)


PAIR = st.tuples(st.sampled_from("abcdef"), st.sampled_from(["s", "t", "u"]))


@given(st.lists(st.tuples(st.sampled_from(["aa", "aa b", "b b", "cc"]), PAIR), max_size=30))
def test_entries_against_a_dictionary(rows):
    made, expected = Builder(Form()), {}
    for name, (topic, source) in rows:
        made.add(name, topic, [source])
        expected.setdefault(name + " ", set()).add((topic, source))
    names = made.names()
    assert len(names) == len(expected)
    for number in range(len(names)):
        span = slice(*names.starts[number : number + 2].tolist())
        entries = {
            (names.topics[topic], names.sources[source]["id"])
            for topic, source in zip(names.topic_of[span], names.source_of[span], strict=True)
        }
        assert entries == expected[names.key(number)]


def test_what_is_left_out_is_counted():
    made = builder(
        names=[
            *NAMES,
            ("", "city", ["web"]),
            ("!!!", "city", ["web"]),
            ("x", "city", ["web"]),
            ("$", "city", ["web"]),
            ("茶", "city", ["web"]),
            (" ".join(["word"] * 10_000), "city", ["web"]),
            ("y" * 600, "city", ["web"]),
            ("word " * 33, "city", ["web"]),
            ("Paris", "", ["web"]),
            ("Paris", "city", []),
        ]
    )
    assert made.left_out == {
        "no_word": 2,
        "too_short": 2,
        "too_long": 3,
        "no_topic": 1,
        "other_source": 1,
    }
    assert made.names().ids(["茶 ", "paris "])[1] == -1


def test_sources_are_left_out():
    made = builder(allowed=lambda source: SOURCES[source]["license"] == "CC0-1.0")
    names = made.names()
    assert [source["id"] for source in names.sources] == ["lab"]
    assert names.ids(["lyon "]) == [-1]
    assert described(names, "marie curie")["topics"] == ["scientist"]


def test_a_topic_that_is_not_mapped_is_a_type_itself():
    made = Builder(Form(), {"actor": ["Artist"]})
    made.add("Kestrel 4", "Laptop", ["mine"])
    assert described(made.names(), "kestrel 4")["types"] == ["Laptop"]
    assert made.untyped == ["Laptop"]


def test_too_many_topics_are_another_column():
    made = Builder(Form())
    for i in range(1 << 16):
        made.add("name", f"topic {i}", ["mine"])
    with pytest.raises(ValueError, match="more than 65,536 topics"):
        made.add("name", "one more", ["mine"])


def test_a_file_that_is_none(tmp_path):
    path = tmp_path / "names"
    whole = builder().names().to_bytes()
    for data, message in [
        (b"", "is empty"),
        (b"PK\x03\x04 something else", "is no file of names"),
        (whole[:12], "is no file of names"),
        (whole[:-64], r"has [\d,]+ bytes, expected [\d,]+: it was cut"),
        (whole + b"\0" * 64, "it was cut or is damaged"),
        (whole.replace(b'"form"', b'"fork"'), r"names is damaged \(KeyError\('form'\)"),
        (whole.replace(b'{"form"', b'{"\xff\xffrm"'), r"names is damaged \(UnicodeDecodeError"),
        (whole.replace(b'{"form"', b'["form"'), r"names is damaged \(JSONDecodeError"),
        (whole.replace(b"We love Marisa.", b"We love others."), "names is damaged"),
    ]:
        path.write_bytes(data)
        with pytest.raises(ValueError, match=message):
            Names.open(path)


def test_written_over_by_others_it_stays_what_it_is(tmp_path):
    names = names_file(tmp_path / "names")
    names_file(tmp_path / "names", NAMES[:3])
    assert sorted(described(names, "lyon")["topics"]) == ["city", "player"]
    assert len(Names.open(tmp_path / "names")) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["names"]


def test_pickled_it_is_its_path(tmp_path):
    names = names_file(tmp_path / "names")
    data = pickle.dumps(names)
    assert len(data) < 500
    assert described(pickle.loads(data), "lyon") == described(names, "lyon")
    names_file(tmp_path / "names", NAMES[:3])
    with pytest.raises(ValueError, match="holds other names than the pipeline that was pickled"):
        pickle.loads(data)


@pytest.mark.parametrize(
    "settings",
    [
        {"topics": {"city": ["Place"]}},
        {"sources": {"web": {"license": "MIT"}}},
        {"form": Form(case=True)},
    ],
)
def test_the_digest_is_of_all_that_a_file_says(settings):
    def digest(**settings):
        made = Builder(**{"form": Form(), "topics": {"city": ["City"]}, "sources": {}} | settings)
        made.add("lyon", "city", ["web"])
        return made.names().digest

    assert digest() == digest() != digest(**settings)


def test_pickled_it_is_whole_where_its_file_is_another_one_or_gone(tmp_path):
    names = names_file(tmp_path / "names")
    names_file(tmp_path / "names", NAMES[:3])
    assert described(pickle.loads(pickle.dumps(names)), "lyon") == described(names, "lyon")
    (tmp_path / "names").write_bytes(b"damaged")
    assert described(pickle.loads(pickle.dumps(names)), "lyon") == described(names, "lyon")
    (tmp_path / "names").unlink()
    assert described(pickle.loads(pickle.dumps(names)), "lyon") == described(names, "lyon")
    in_memory = Names(names.to_bytes(), "memory")
    assert described(pickle.loads(pickle.dumps(in_memory)), "lyon") == described(names, "lyon")


def test_pickled_it_is_found_from_any_folder(tmp_path, monkeypatch):
    names_file(tmp_path / "names")
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps(Names.open("names"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(data) < 500
    assert described(pickle.loads(data), "lyon")["topics"]


def test_it_is_mapped_and_not_read(tmp_path):
    """The pages of the file are the process's memory: nothing of it is held twice."""
    names_file(tmp_path / "names")
    code = (
        "import sys; from spacy_finegrained_ner.knowledge.names import Names;"
        "names = Names.open(sys.argv[1]); maps = open('/proc/self/maps').read();"
        "assert sys.argv[1] in maps; assert names.topic_of.base is not None;"
        "assert not names.topic_of.flags.writeable and not names.starts.flags.owndata"
    )
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "names")], check=True)
