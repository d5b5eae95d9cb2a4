"""Data and configs without a fault, and what a doctor says of others."""

from pathlib import Path

from thinc.api import Config

from spacy_finegrained_ner.data.forms.record import Options
from spacy_finegrained_ner.doctor.data import read_data
from spacy_finegrained_ner.doctor.entities import check_entities
from spacy_finegrained_ner.doctor.labels import check_labels
from spacy_finegrained_ner.doctor.texts import check_texts

ROOT = Path(__file__).parents[2]
_FIRST = "ada bea cleo dora ella fay gina hana iris june kate lena mara nina olga"
_LAST = "abt beck cole dorn ekert fink gold hahn ives jahn koch lang marx noll opitz"
DRINKS = ("green tea", "black coffee", "cider", "lemonade")
STATIONS = ("bern hauptbahnhof", "gare du nord", "penn station")

Text = list[list[str]]
"""Of each token the word and its tag."""


def text(words: str) -> Text:
    """`word/TAG word`, O where there is no tag."""
    return [[*word.split("/"), "O"][:2] for word in words.split()]


def tagged(name: str, label: str) -> str:
    first, *rest = name.split()
    return " ".join([f"{first}/B-{label}", *(f"{word}/I-{label}" for word in rest)])


def healthy() -> dict[str, list[Text]]:
    """Parts without anything to find: all texts and most names differ."""
    texts = []
    for i, first in enumerate(_FIRST.split()):
        for j, last in enumerate(_LAST.split()):
            person = tagged(f"{first} {last}", "Athlete")
            drink = tagged(DRINKS[(i + j) % 4], "Drink")
            station = tagged(STATIONS[(i + 2 * j) % 3], "Station")
            texts.append(text(f"{person} had {drink} at {station} ."))
    held_out = texts[::4]
    return {"train": [one for i, one in enumerate(texts) if i % 4], "valid": held_out}


def write(folder: Path, parts: dict[str, list[Text]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for part, texts in parts.items():
        blocks = ("".join(f"{word} {tag}\n" for word, tag in one) for one in texts)
        (folder / f"{part}.conll").write_text("\n".join(blocks), encoding="utf-8")
    return folder


def findings(folder: Path, taxonomy=None):
    data, found = read_data(folder, "en", Options())
    return [*found, *check_labels(data, taxonomy), *check_texts(data), *check_entities(data)]


def config(name: str, **changes) -> Config:
    """A shipped one, with other values by dotted path, `__` for the dot; None for no block."""
    made = Config().from_disk(ROOT / "configs" / f"{name}.cfg", interpolate=False)
    for path, value in changes.items():
        *sections, last = path.split("__")
        at = made
        for section in sections:
            at = at[section]
        at[last] = value
    return made


def small(**changes) -> Config:
    """A pipeline that learns the healthy data in seconds, without an encoder."""
    made = config("tok2vec", **changes)
    tok2vec = made["components"]["tok2vec"]["model"]
    tok2vec["embed"] |= {"width": 32, "rows": [500, 200, 200, 100]}
    tok2vec["encode"] |= {"width": 32, "depth": 1}
    made["components"]["finegrained_ner"]["model"]["tok2vec"]["width"] = 32
    made["training"]["optimizer"]["learn_rate"]["rate"] = 0.01
    made["training"]["logger"] = {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": False}
    return made
