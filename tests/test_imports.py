"""Who may import whom: three vocabularies, three places (torch, thinc, spaCy)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "spacy_finegrained_ner"
STUDY = ROOT / "study"
ROOMS = ("plan", "runs", "analysis", "page")
"""Of the study: each may import those before it."""

INSIDE = {
    "labels": set(),
    "nn": set(),
    "training": set(),
    "data": {"labels"},
    "knowledge": {"labels"},
    "ml": {"nn", "labels", "knowledge"},
    "scoring": {"labels", "data", "knowledge"},
    "pipeline": {"ml", "labels", "data", "scoring", "knowledge"},
    "annotate": {"labels", "data", "scoring"},
    "benchmark": {"labels", "data", "nn", "ml", "scoring", "pipeline", "annotate"},
    # of pipeline only what all components have in common (annotating)
    "baselines": {"labels", "data", "scoring", "pipeline", "knowledge"},
    "pages": set(),
    "app": {"labels", "scoring", "annotate"},
    "report": {"labels", "data", "scoring", "pages"},
    "doctor": {"labels", "data", "ml", "scoring", "training"},
    "cli": {
        *("labels", "data", "scoring", "pipeline", "benchmark"),
        *("pages", "app", "report", "annotate", "baselines", "knowledge", "doctor"),
    },
}
STANDARD = {"collections", "dataclasses", "functools", "io", "itertools", "pathlib", "re", "typing"}
STANDARD |= {
    "abc",
    "bisect",
    "contextlib",
    "inspect",
    "numbers",
    "math",
    "operator",
    "pickle",
    "threading",
    "unicodedata",
    "warnings",
    "weakref",
}
OUTSIDE = {
    "labels": {"numpy", "tomllib", "json", "colorsys", "types", "difflib"},
    "nn": {"torch", "torchcrf", "math"},
    "training": {
        "thinc",
        "pydantic",
        "torch",
        "spacy",
        "tqdm",
        "json",
        "math",
        "numbers",
        "random",
        "sys",
    },
    "data": {
        *("spacy", "numpy", "pyarrow", "pydantic"),
        *("ast", "codecs", "csv", "difflib", "hashlib", "importlib", "json", "sys", "zlib"),
    },
    "ml": {
        *("json", "os", "tempfile", "thinc", "torch", "numpy", "srsly", "spacy", "transformers"),
        *("spacy_transformers", "huggingface_hub", "requests", "pydantic", "contextvars"),
    },
    "knowledge": {
        *("numpy", "marisa_trie", "array", "bz2", "csv", "gzip", "hashlib", "json", "lzma", "mmap"),
        "zlib",
        *("ast", "tempfile", "tomllib"),
    },
    "scoring": {"spacy", "numpy", "time"},
    "annotate": {
        *("spacy", "thinc", "torch", "pyarrow", "filelock", "srsly", "ray", "ctypes"),
        *("bz2", "concurrent", "copy", "csv", "glob", "gzip", "hashlib", "importlib", "json"),
        *("logging", "lzma", "multiprocessing", "os", "shutil", "signal", "sys", "zlib"),
    },
    "benchmark": {
        *("spacy", "spacy_transformers", "thinc", "torch", "torchcrf", "matplotlib", "concurrent"),
        *("contextlib", "copy", "gc", "importlib", "multiprocessing", "platform", "random"),
        *("resource", "statistics", "sys", "tempfile", "time", "unittest"),
        *("http", "json", "subprocess"),
    },
    "pipeline": {"spacy", "thinc", "numpy", "srsly", "sys", "tempfile"},
    "baselines": {
        *("spacy", "thinc", "numpy", "pycrfsuite", "pydantic", "marisa_trie"),
        *("torch", "transformers", "peft"),
        *("json", "shutil", "sys", "tempfile", "hashlib"),
        # llm: requests, the cache, prompts
        *("httpx", "tenacity", "asyncio", "concurrent", "multiprocessing", "sqlite3", "jinja2"),
        *("srsly", "tqdm", "datetime", "email", "ipaddress", "os", "random", "time", "urllib"),
    },
    "app": {
        "spacy",
        "starlette",
        "pydantic",
        "jinja2",
        "markupsafe",
        "base64",
        "hashlib",
        "asyncio",
    },
    "pages": {"jinja2", "markdown_it", "markupsafe", "matplotlib", "html", "textwrap"},
    "report": {"spacy", "numpy", "markupsafe", "matplotlib"},
    "doctor": {
        *("spacy", "thinc", "torch", "numpy", "srsly", "transformers"),
        *(
            "csv",
            "difflib",
            "hashlib",
            "os",
            "random",
            "resource",
            "statistics",
            "sys",
            "tempfile",
            "time",
        ),
    },
}


def modules():
    return sorted(PACKAGE.glob("*/**/*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
    return found - {"__future__"}


@pytest.mark.parametrize("path", modules(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_imports_follow_the_table(path):
    part = part_of(path)
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "spacy_finegrained_ner":
            # The ground floor
            allowed = INSIDE[part] | {part, "contracts", "errors", "settings", "whole"}
            assert rest[0] in allowed, f"{part} may not import {name}"
        elif part != "cli":
            assert top in STANDARD | OUTSIDE[part], f"{part} may not import {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_file_has_a_docstring_and_fits_a_head(path):
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)), path
    assert len(source.splitlines()) <= 300, path


def of_the_study():
    return sorted(STUDY.glob("**/*.py"))


@pytest.mark.parametrize("path", of_the_study(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_study_follows_its_datas_way(path):
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)), path
    assert len(source.splitlines()) <= 300, path
    room = path.parent.name if path.parent != STUDY else "page"
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "study" and path.parent != STUDY:
            assert ROOMS.index(rest[0]) <= ROOMS.index(room), f"{room} may not import {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_package_does_not_know_the_study(path):
    assert not any(name.split(".")[0] == "study" for name in imports(path))


@pytest.mark.parametrize("path", sorted((ROOT / "tests").glob("**/*.py")), ids=lambda p: p.name)
def test_a_file_of_tests_fits_a_head(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_no_two_files_of_tests_have_one_name():
    """pytest would take one for the other."""
    names = [path.name for path in (ROOT / "tests").glob("**/test_*.py")]
    assert len(names) == len(set(names))
