"""A few dozen names for the tests, and a file of them."""

from pathlib import Path

from spacy_finegrained_ner.knowledge.build import Builder
from spacy_finegrained_ner.knowledge.form import Form
from spacy_finegrained_ner.knowledge.names import Names

TOPICS = {
    "scientist": ["Scientist"],
    "player": ["Athlete"],
    "city": ["HumanSettlement"],
    "beverage": ["Drink", "Food"],
    "film": ["VisualWork"],
    "no_type": [],
}
SOURCES = {
    "lab": {"license": "CC0-1.0", "name": "The lab", "url": "https://lab.example"},
    "web": {"license": "CC BY-SA 4.0", "attribution": "The authors of the web"},
}
NAMES = (
    ("Marie Curie", "scientist", ["lab", "web"]),
    ("Curie", "scientist", ["lab"]),
    ("Marie Curie", "film", ["web"]),
    ("Albert Einstein", "scientist", ["lab"]),
    ("Pelé", "player", ["web"]),
    ("Serena Williams", "player", ["web", "lab"]),
    ("Williams", "city", ["web"]),
    ("Lyon", "city", ["web"]),
    ("Lyon", "player", ["web"]),
    ("New York", "city", ["web"]),
    ("York", "city", ["web"]),
    ("New York City", "city", ["lab"]),
    ("The Green Tea", "film", ["web"]),
    ("green tea", "beverage", ["lab", "web"]),
    ("tea", "beverage", ["lab"]),
    ("O'Brien", "player", ["web"]),
    ("AT&T", "no_type", ["web"]),
    ("COVID-19", "no_type", ["lab"]),
    ("St. Louis", "city", ["web"]),
    ("in", "city", ["web"]),
    ("to", "film", ["web"]),
    ("is there", "film", ["web"]),
    ("绿茶", "beverage", ["lab"]),
    ("C++", "no_type", ["lab"]),
    *((f"Player {i} of Tea", "player", ["web"]) for i in range(12)),
)


def builder(form: Form | None = None, names=NAMES, **settings) -> Builder:
    made = Builder(form or Form(), TOPICS, SOURCES, **settings)
    for name in names:
        made.add(*name)
    return made


def names_file(path: Path, names=NAMES) -> Names:
    return builder(names=names).write(path)


def words(text: str) -> list[str]:
    return text.split()
