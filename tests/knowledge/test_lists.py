"""Lists as people have them, also such as no one would want."""

import bz2
import gzip
import lzma
from collections import Counter

import pytest

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.knowledge.lists import (
    LONGEST_LINE,
    read_list,
    read_sources,
    read_topics,
)


def read(path, topic=None, encoding="utf-8", skipped=None):
    counter = Counter() if skipped is None else skipped
    return [tuple(one) for one in read_list(path, topic, encoding, counter)]


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def damaged(packed):
    middle = len(packed) // 2
    return packed[:middle] + b"\xff" * 8 + packed[middle + 8 :]


LYON = [("Lyon", "city", ["a", "b"]), ("Pelé", "player", [])]
PATTERNS = (
    '{"label": "ORG", "pattern": "Apple"}\n'
    '{"label": "GPE", "pattern": [{"LOWER": "san"}, {"LOWER": "francisco"}], "id": "sf"}\n'
    '{"label": "GPE", "pattern": [{"LOWER": "san"}, {"OP": "?"}]}\n'
    '{"label": "GPE", "pattern": [{"POS": "PROPN"}]}\n'
)
SPARQL = (
    "item,itemLabel,classLabel,itemAltLabel\r\n"
    'http://www.wikidata.org/entity/Q456,Lyon,city,"Lyons, Lugdunum"\r\n'
    "http://www.wikidata.org/entity/Q1,Q1,city,\r\n"
    'http://www.wikidata.org/entity/Q2,"Paris, Texas",city,\r\n'
)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.tsv", "Lyon\tcity\ta,b\nPelé\tplayer\t\n", LYON),
        ("a.tsv", "name\ttopic\tsources\nLyon\tcity\ta, b\n\nPelé\tplayer\n", LYON),
        ("a.tsv", "\ufeffLyon\tcity\ta,b\r\nPelé\tplayer\r\n", LYON),
        ("a.TSV", "Lyon\tcity\ta,b\nPelé\tplayer", LYON),
        ("a.tsv.gz", gzip.compress("Lyon\tcity\ta,b\nPelé\tplayer\n".encode(), mtime=0), LYON),
        ("a.tsv.xz", lzma.compress("Lyon\tcity\ta,b\nPelé\tplayer\n".encode()), LYON),
        ("a.csv", 'Topic,NAME,sources\ncity,Lyon,"a,b"\nplayer,Pelé,\n', LYON),
        (
            "a.jsonl",
            '{"name": "Lyon", "topic": "city", "sources": ["a", "b"]}\n\n'
            '{"name": "Pelé", "topic": "player"}\n',
            LYON,
        ),
        (
            "a.jsonl",
            '{"name": "Lyon", "topic": "city", "aliases": ["Lyons"], "more": 1}\n',
            [("Lyon", "city", []), ("Lyons", "city", [])],
        ),
        ("p.jsonl", PATTERNS, [("Apple", "ORG", []), ("san francisco", "GPE", [])]),
        (
            "catalogue.csv",
            "name,topic\nQ7,car\nP50,phone\nL300,phone\n",
            [("Q7", "car", []), ("P50", "phone", []), ("L300", "phone", [])],
        ),
        (
            "aliases.csv",
            'name,topic,aliases\nPixar,studio,"Pixar Inc, USA|Luxo, Jr."\n',
            [(name, "studio", []) for name in ("Pixar", "Pixar Inc, USA", "Luxo, Jr.")],
        ),
        (
            "query.csv",
            SPARQL,
            [(name, "city", []) for name in ("Lyon", "Lyons", "Lugdunum", "Paris, Texas")],
        ),
    ],
)
def test_forms(tmp_path, name, content, expected):
    assert read(written(tmp_path, name, content)) == expected


def test_a_topic_for_all(tmp_path):
    assert read(written(tmp_path, "a.txt", "Kestrel 4\n\n Kestrel 5 \n"), "laptop") == [
        ("Kestrel 4", "laptop", []),
        ("Kestrel 5", "laptop", []),
    ]
    assert read(written(tmp_path, "a.tsv", "Kestrel\nLyon\tcity\n"), "laptop") == [
        ("Kestrel", "laptop", []),
        ("Lyon", "city", []),
    ]
    assert read(written(tmp_path, "a.csv", "itemLabel\nKestrel\n"), "laptop") == [
        ("Kestrel", "laptop", [])
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", "Kestrel\t\nLyon\tcity\n"),
        ("a.csv", "name,topic\nKestrel,\nLyon,city\n"),
        ("a.jsonl", '{"name": "Kestrel", "topic": ""}\n{"name": "Lyon", "topic": "city"}\n'),
    ],
)
def test_an_empty_topic_is_none(tmp_path, name, content):
    path = written(tmp_path, name, content)
    assert read(path, "laptop") == [("Kestrel", "laptop", []), ("Lyon", "city", [])]
    assert read(path) == [("Kestrel", "", []), ("Lyon", "city", [])]  # the builder counts it


def test_an_empty_name_is_for_the_builder_to_count(tmp_path):
    path = written(tmp_path, "a.jsonl", '{"name": "", "topic": "city", "aliases": ["Lyon", ""]}\n')
    assert read(path) == [("", "city", []), ("Lyon", "city", [])]


def test_what_is_no_name_is_counted(tmp_path):
    skipped: Counter[str] = Counter()
    read(written(tmp_path, "p.jsonl", PATTERNS), skipped=skipped)
    read(written(tmp_path, "q.csv", SPARQL), skipped=skipped)
    assert skipped == {"pattern": 2, "no_label": 1}


def test_another_encoding(tmp_path):
    path = written(tmp_path, "a.tsv", "Pelé\tplayer\n".encode("cp1252"))
    assert read(path, encoding="cp1252") == [("Pelé", "player", [])]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", "Lyon\n", r"a\.tsv:1: found 'Lyon', expected a name, a tab and its topic"),
        ("a.tsv", "Lyon\tcity\nA\tb\tc\td\n", r"a\.tsv:2: found"),
        ("a.tsv", "Pelé\tplayer\n".encode("cp1252"), r"a\.tsv:1: b'Pel.*--encoding cp1252"),
        ("a.tsv", "Lyon\tcity\n".encode("utf-16"), r"a\.tsv begins with .*UTF-16.*save it as"),
        ("a.tsv", b"\x7fELF\0\0\0\0", r"a\.tsv begins with .*it is binary"),
        ("a.tsv", b"Lyon\tcity\n" * 500 + b"A\0b\tcity\n", r"a\.tsv:501: .*it is no text"),
        ("a.tsv.gz", b"no gzip at all", r"a\.tsv\.gz can't be unpacked"),
        ("a.tsv.gz", gzip.compress(b"Lyon\tcity\n" * 99, mtime=0)[:-9], r"can't be unpacked"),
        (
            "a.tsv.gz",
            damaged(gzip.compress(b"Lyon\tcity\n" * 99, mtime=0)),
            r"a\.tsv\.gz can't be unpacked",
        ),
        ("a.tsv.bz2", damaged(bz2.compress(b"Lyon\tcity\n")), r"a\.tsv\.bz2 can't be unpacked"),
        ("a.csv", 'name,topic\nBonn,city\n"Lyon,city\nParis,city\n', r"a\.csv:3: .*up to line 4"),
        ("a.tsv", "Lyon\tcity\rParis\tcity\r", r"a\.tsv:1: found a carriage return"),
        ("a.tsv.xz", b"no xz at all", r"can't be unpacked"),
        ("a.txt", "Lyon\n", r"has names alone: .*--topic"),
        ("a.csv", "one,two\n1,2\n", r"a\.csv:1: the columns are \['one', 'two'\], expected"),
        ("a.csv", "", r"a\.csv:1: the columns are \[\]"),
        ("a.csv", 'name,topic\n"' + "x" * 200_000 + '",y\n', r"a\.csv:2: field larger"),
        ("a.jsonl", '{"name": "Lyon", "topic": "city"}\n{"name": \n', r"a\.jsonl:2: .*Expected"),
        ("a.jsonl", "[" * 100_000, r"a\.jsonl:1: "),
        ("a.jsonl", '["Lyon"]\n', r"a\.jsonl:1: found .*expected"),
        ("a.jsonl", '{"name": 3, "topic": "city"}\n', r"a\.jsonl:1: found"),
        ("a.jsonl", '{"topic": "city"}\n', r"a\.jsonl:1: found"),
        ("a.jsonl", '{"name": "Lyon"}\n', r"a\.jsonl:1: found"),
        ("a.xlsx", "", r"what this is can't be told from its name, expected \.tsv"),
        ("noending", "", r"can't be told from its name"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path, name, content, message):
    with pytest.raises(UserError, match=message):
        read(written(tmp_path, name, content))


def test_a_huge_line_is_left_out_and_never_held(tmp_path):
    skipped: Counter[str] = Counter()
    huge = b"x" * (3 * LONGEST_LINE + 7)
    path = written(tmp_path, "a.tsv", b"Lyon\tcity\n" + huge + b"\tcity\nParis\tcity\n" + huge)
    assert [one[0] for one in read(path, skipped=skipped)] == ["Lyon", "Paris"]
    assert skipped == {"too_long_line": 2}


def test_topics(tmp_path):
    path = written(tmp_path, "t.toml", '[topics]\nactor = ["Artist"]\ncity = "Place"\nx = []\n')
    assert read_topics(path) == {"actor": ["Artist"], "city": ["Place"], "x": []}
    assert read_topics(written(tmp_path, "t.toml", 'actor = ["Artist"]')) == {"actor": ["Artist"]}
    with pytest.raises(UserError, match="the topic 'actor' has 3, expected a list of types"):
        read_topics(written(tmp_path, "t.toml", "actor = 3"))
    with pytest.raises(UserError, match="is no TOML file"):
        read_topics(written(tmp_path, "t.toml", "actor"))


def test_sources(tmp_path):
    path = written(tmp_path, "s.toml", 'web = "CC0"\n[lab]\nlicense = "MIT"\nurl = "https://x"\n')
    assert read_sources(path) == {
        "web": {"license": "CC0"},
        "lab": {"license": "MIT", "url": "https://x"},
    }
    with pytest.raises(UserError, match=r"the source 'lab' has .*expected texts under some of"):
        read_sources(written(tmp_path, "s.toml", '[lab]\nlicence = "MIT"\n'))


@pytest.mark.parametrize("types", ['"Topic"', '["Topic"]'])
def test_a_topic_may_be_called_topics(tmp_path, types):
    path = written(tmp_path, "topics.toml", f'topics = {types}\ncity = ["Place"]\n')
    assert read_topics(path) == {"topics": ["Topic"], "city": ["Place"]}
