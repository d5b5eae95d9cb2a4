"""The verbs of `knowledge`, and what a package with names says of them."""

import gzip

import pytest
import spacy
import srsly
from cards import meta
from knowing import trained
from knowledge_names import names_file
from pipelines import SENTENCES
from test_commands import run, write_spacy

from spacy_finegrained_ner.knowledge.names import Names

LIST = "Marie Curie\tscientist\tlab\nLyon\tcity\tweb,lab\nThe Green Tea\tfilm\nx\tcity\n\tcity\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.tsv").write_text(LIST)
    (tmp_path / "topics.toml").write_text('scientist = ["Scientist"]\ncity = ["HumanSettlement"]\n')
    (tmp_path / "sources.toml").write_text('lab = "CC0-1.0"\nweb = "CC BY-SA 4.0"\n')
    return tmp_path


def build(folder, *more, lists=("mine.tsv",)):
    options = ["--topics", folder / "topics.toml", "--sources", folder / "sources.toml"]
    paths = [folder / name for name in lists]
    return run("knowledge", "build", *paths, "--output", folder / "out/names", *options, *more)


def test_build(folder):
    code, printed = build(folder)
    assert code == 0
    assert "Left out: 1 are a single letter, digit or symbol." in printed
    assert "Left out: 1 have no letter, digit or symbol." in printed
    assert "topics.toml has not the topics film: each is evidence under its own name" in printed
    assert "No license is known of 1 of 3 sources (mine): --sources says it" in printed
    assert "names: 4 names, 3 topics, 3 sources, 0.0 MB" in printed
    names = Names.open(folder / "out/names")
    assert [one["id"] for one in names.sources] == ["lab", "web", "mine"]
    assert names.sources[1]["license"] == "CC BY-SA 4.0"
    assert names.types == [["Scientist"], ["HumanSettlement"], ["film"]]


def test_what_a_list_can_not_have_is_told_with_its_file(folder):
    (folder / "half.jsonl").write_text('{"name": "Oslo", "topic": "cit\\ud800"}\n')
    code, printed = build(folder, lists=("half.jsonl",))
    assert code == 1
    assert "half.jsonl: One of the topics is 'cit\\ud800', half a character" in " ".join(
        printed.split()
    )
    rows = (f"name\ttopic {i}\n" for i in range((1 << 16) + 1))
    (folder / "many.tsv").write_text("".join(rows))
    code, printed = build(folder, lists=("many.tsv",))
    assert code == 1
    assert "many.tsv: There are more than 65,536 topics" in " ".join(printed.split())


def test_a_source_to_leave_out_that_is_not_there_is_told(folder):
    code, printed = build(folder, "--without", "labb", "--without", "web")
    assert code == 0
    assert "--without labb: no list has a source of this name: lab, mine, web" in printed
    assert "--without web" not in printed


def test_build_from_several_lists(folder):
    (folder / "products.txt").write_text("Kestrel 4\nGannet 7\n")
    with gzip.open(folder / "more.jsonl.gz", "wt") as file:
        file.write('{"label": "city", "pattern": "Oslo"}\n')
    lists = ("mine.tsv", "products.txt", "more.jsonl.gz")
    code, printed = build(folder, "--topic", "laptop", lists=lists)
    assert code == 0
    assert "7 names, 4 topics, 5 sources" in printed
    code, printed = run("knowledge", "show", folder / "out/names", "kestrel 4", "Oslo", "Paris")
    assert code == 0
    assert "kestrel 4: topics laptop; types laptop; sources products" in printed
    assert "Oslo: topics city; types HumanSettlement; sources more" in printed
    assert "Paris: not in" in printed


@pytest.mark.parametrize(
    ("options", "sources"),
    [
        (("--license", "cc0*"), ["lab"]),
        (("--license", "CC BY*", "--license", "MIT"), ["web"]),
        (("--without", "lab", "--without", "mine"), ["web"]),
    ],
)
def test_lists_are_left_out_by_license_and_source(folder, options, sources):
    code, printed = build(folder, *options)
    assert code == 0
    assert "come only from lists that are left out" in printed
    assert [one["id"] for one in Names.open(folder / "out/names").sources] == sources


def test_the_form_is_an_option(folder):
    options = ("--case", "--punctuation", "--diacritics", "--articles", "")
    assert build(folder, *options)[0] == 0
    form = Names.open(folder / "out/names").form
    assert (form.case, form.punctuation, form.diacritics, form.articles) == (True, True, True, ())
    code, printed = run("knowledge", "show", folder / "out/names", "lyon", "Lyon")
    assert code == 0
    assert "lyon: not in" in printed
    assert "Lyon: topics city" in printed


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", (), "There are no names in"),
        ("x\tcity\n", (), "There are no names in"),
        ("Lyon\n", (), "mine.tsv:1: found 'Lyon', expected a name"),
        ("\xe9\tcity\n".encode("latin-1"), (), "mine.tsv:1: b'\\xe9"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", (), "it is binary"),
        (LIST, ("--license", "MIT"), "There are no names in"),
        (LIST, ("--encoding", "utf-9"), "--encoding utf-9: there is none of this name"),
        (LIST, ("--topics", "nowhere.toml"), "nowhere.toml"),
        (None, (), "mine.tsv"),
    ],
)
def test_what_can_not_be_built_is_told(folder, content, options, message):
    path = folder / "mine.tsv"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    code, printed = build(folder, *options)
    assert code == 1
    assert message in printed
    assert not (folder / "out/names").exists()


def test_show_and_check(tmp_path):
    names_file(tmp_path / "names")
    code, printed = run("knowledge", "show", tmp_path / "names")
    assert code == 0
    assert "player: 17 (Athlete)" in printed
    assert "no_type: 3 (no type)" in printed
    assert "lab: 10 (CC0-1.0)" in printed
    data = write_spacy(tmp_path / "gold.spacy", SENTENCES)
    report = tmp_path / "report.json"
    code, printed = run("knowledge", "check", tmp_path / "names", data, "--output", report)
    assert code == 0
    found = srsly.read_json(report)
    # lyon twice, pelé twice, marie curie twice, serena williams, green tea twice
    assert (found["entities"], found["listed"]) == (9, 9)
    # lyon twice; in three times, once of which before green tea: no entity
    assert found["topics"]["city"] == {
        "met": 4,
        "entities": 2,
        "right": 2,
        "labels": {"HumanSettlement": 2},
    }
    assert found["topics"]["film"]["right"] == 0
    assert found["topics"]["beverage"] == {
        "met": 2,
        "entities": 2,
        "right": 2,
        "labels": {"Drink": 2},
    }
    assert "9 of 9 entities" in printed
    (tmp_path / "names").write_bytes(b"no names")
    for verb in (("show",), ("check", data)):
        code, printed = run("knowledge", verb[0], tmp_path / "names", *verb[1:])
        assert code == 1
        assert "is no file of names" in printed


@pytest.mark.parametrize("inside", [True, False])
def test_a_package_says_whose_names_it_has(tmp_path, inside):
    nlp = trained(tmp_path / "names", 3, inside=inside)
    nlp.to_disk(tmp_path / "model")
    write_spacy(tmp_path / "train.spacy")
    code, printed, card, found = meta(tmp_path, "--name", "tickets", "--version", "1.0")
    assert code == 0, printed
    named = [one for one in found.get("sources", []) if one["name"] in ("The lab", "web")]
    if inside:
        assert named == [
            {"name": "The lab", "license": "CC0-1.0", "url": "https://lab.example"},
            {"name": "web", "author": "The authors of the web", "license": "CC BY-SA 4.0"},
        ]
        assert "Names of web are under licenses that ask to share alike" in printed
        assert "Data, encoder and names, with their licenses:" in card
        assert "- [The lab](https://lab.example): CC0-1.0\n" in card
        assert "- web: CC BY-SA 4.0 (The authors of the web)\n" in card
        assert f"It knows {len(nlp.get_pipe('finegrained_ner').knowledge.file)} names" in card
        assert "their sources are among these" in card
    else:
        assert not named
        assert "of a file that is not in the package" in card
    assert spacy.load(tmp_path / "model").get_pipe("finegrained_ner").has_knowledge


@pytest.mark.parametrize("inside", [True, False])
def test_a_package_says_whose_names_were_added(tmp_path, inside):
    nlp = trained(tmp_path / "names", 3, inside=inside)
    names = nlp.get_pipe("finegrained_ner").knowledge
    names.add(["Oslo", "Bergen"], "city", source="osm")
    names.add("Tromsø", "city", source="web")
    names.add("Bodø", "city")  # of no source
    nlp.to_disk(tmp_path / "model")
    write_spacy(tmp_path / "train.spacy")
    code, printed, card, found = meta(tmp_path, "--name", "tickets", "--version", "1.0")
    assert code == 0, printed
    named = {one["name"] for one in found["sources"]} & {"The lab", "web", "osm", "added"}
    assert named == ({"The lab", "web", "osm"} if inside else {"web", "osm"})
    assert "- osm" in card
    assert "Names of web are under licenses that ask to share alike" in printed
