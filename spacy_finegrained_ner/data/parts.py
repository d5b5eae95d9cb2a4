"""Which files of a folder are the training part, and which the others: by their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from spacy_finegrained_ner.data.forms.record import FormError

PARTS = ("train", "valid", "dev", "test")
_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "testa"), "valid"),
    **dict.fromkeys(("dev", "devel", "development", "eval", "evaluation"), "dev"),
    **dict.fromkeys(("test", "testing", "tst", "testb"), "test"),
}
_OTHERS = {
    *(".md", ".rst", ".html", ".pdf", ".py", ".ipynb", ".cfg", ".toml", ".yaml", ".yml", ".conf"),
    *(".log", ".sh", ".lock", ".xml", ".zip", ".bin", ".pt", ".pkl", ".npy", ".png", ".jpg"),
}
_OTHER_NAMES = {
    *("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "losses.tsv"),
    *("license", "readme", "license.txt", "readme.txt", "requirements.txt"),
    *("labels.txt", "tags.txt", "classes.txt", "types.txt"),
}
_SHARD = re.compile(r"[-_.]?\d+([-_]of[-_]\d+)?$")


@dataclass
class Found:
    """The files of each part, and what is to be said of the others."""

    parts: dict[str, list[Path]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def find_parts(source: Path, lang: str, written: Collection[Path] = ()) -> Found:
    """The files of each part in a folder and the folders in it, or a single file, which is all
    training part.

    The word for a part may be anywhere in the name of the file, or else of the folder that it is
    in (`en_train.conll`, `train-00000-of-00002.parquet`, `validation/a.txt`). The names closest to
    `train.conll` count, and files in the uppermost folder that has any; names that begin with the
    code of another language do not. Where no file has such a word, all are training part.

    lang: code of the language. written: files that are to be written: they are not read.
    Raises a `FormError` where there is no training part, or two files that are perhaps the same.
    """
    if source.is_file():
        return Found({"train": [source]})
    if not source.is_dir():
        raise FormError(
            f"{source}: found no train.conll and no {lang}_train.conll: there is no such folder."
        )
    found = Found()
    ranked: dict[str, dict[tuple[int, int], list[Path]]] = defaultdict(lambda: defaultdict(list))
    foreign, unnamed = [], []
    for path in data_files(source):
        if path in written:
            continue
        names = path.relative_to(source).parts
        part = next((part for name in reversed(names) if (part := _part_of(name))), None)
        if _other_language(names, lang):
            foreign.append(path)
        elif part is None:
            unnamed.append(path)
        else:
            ranked[part][len(names), _rank(path.stem, part, lang)].append(path)
    for part in PARTS:
        if part in ranked:
            best, *others = sorted(ranked[part])
            found.parts[part] = _one_form(source, part, ranked[part][best])
            left = [path for rank in others for path in ranked[part][rank]]
            if left:
                found.notes.append(f"Not read, as other files are the part {part}: {_some(left)}.")
    if not found.parts and unnamed:
        found.parts["train"] = _one_form(source, "train", unnamed)
        unnamed = []
    if "train" not in found.parts:
        seen = [*(path for paths in found.parts.values() for path in paths), *unnamed, *foreign]
        raise FormError(
            f"{source}: found no train.conll and no {lang}_train.conll, nor another file of the "
            "training part. Expected a folder with a file named train and, where there are any, "
            f"valid, dev and test, in any form. It has {_some(seen) if seen else 'no data'}."
        )
    for what, paths in (("of another language", foreign), ("no name of a part in it", unnamed)):
        if paths:
            found.notes.append(f"Not read, {what}: {_some(paths)}.")
    return found


def data_files(folder: Path) -> Iterator[Path]:
    """The files in a folder, at any depth and in order, that may be data. An annotation of brat
    counts by its text."""
    for path in sorted(folder.rglob("*")):
        hidden = any(name.startswith((".", "_")) for name in path.relative_to(folder).parts)
        if hidden or not path.is_file():
            continue
        if path.suffix.casefold() in _OTHERS or path.name.casefold() in _OTHER_NAMES:
            continue
        if path.suffix == ".ann" and path.with_suffix(".txt").is_file():
            continue
        yield path


def _part_of(name: str) -> str | None:
    words = re.split(r"[^a-z]+", name.casefold())
    return next((_WORDS[word] for word in words if word in _WORDS), None)


def _rank(stem: str, part: str, lang: str) -> int:
    """0 for the plain name, 1 with the language before it, 2 for any other."""
    stem = _SHARD.sub("", stem.casefold())
    if stem == part:
        return 0
    return 1 if stem == f"{lang}_{part}" else 2


def _other_language(names: tuple[str, ...], lang: str) -> bool:
    """Whether a file's name begins with the code of a language, or a folder's name is one, and it
    is not that of `lang`."""
    codes = {name.casefold() for name in names[:-1]}
    codes.add(re.split(r"[-_.]", names[-1].casefold())[0])
    codes = {code for code in codes if re.fullmatch("[a-z]{2}", code)}
    return any(code != lang and find_spec(f"spacy.lang.{code}") for code in codes) and lang != "xx"


def _one_form(source: Path, part: str, paths: list[Path]) -> list[Path]:
    """The files, if none is another one in another form."""
    stems: dict[Path, Path] = {}
    for path in paths:
        other = stems.setdefault(path.with_suffix(""), path)
        if other != path:
            raise FormError(
                f"{source}: found {other.name} and {path.name}, both for the part {part}: perhaps "
                "the same texts in two forms. Give the one of them, in a folder of its own."
            )
    return paths


def _some(paths: list[Path]) -> str:
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(map(str, paths[:5])) + more
