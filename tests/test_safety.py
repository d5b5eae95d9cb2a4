"""What comes from elsewhere (a pipeline's folder, texts, labels, file names) runs nothing."""

import ast
import pickle
import re
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
import spacy
import srsly
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pipelines import LINEAR, examples, make_nlp
from spacy.tokens import Span
from typer.testing import CliRunner

import spacy_finegrained_ner
from spacy_finegrained_ner.cli.main import app
from spacy_finegrained_ner.cli.show import render_page
from spacy_finegrained_ner.cli.tables import print_scores
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

SOURCES = sorted(Path(spacy_finegrained_ner.__file__).parent.rglob("*.py"))
SCRIPT = "<script>alert(1)</script>"
ODD = ["[red]x[/red]", "[/]", ":smile:", "a|b", "\\", "*_`", "{0}", "%s", SCRIPT, "日本"]


class Planted:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def saved(planted: Planted, how: str) -> bytes:
    if how == "pickle":
        return pickle.dumps(planted, protocol=2)
    file = BytesIO()
    torch.save({"output.weight": planted}, file, _use_new_zipfile_serialization=how == "torch, zip")
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    nlp = make_nlp(model=LINEAR)
    nlp.initialize(lambda: examples(nlp))
    path = tmp_path_factory.mktemp("pipeline") / "model"
    nlp.to_disk(path)
    return path


@pytest.mark.parametrize("how", ["pickle", "torch, zip", "torch, legacy"])
def test_code_in_place_of_the_weights_is_refused_and_does_not_run(folder, tmp_path, how):
    planted = tmp_path / "planted"
    state = saved(Planted(planted), how)
    if how != "pickle":
        torch.load(BytesIO(state), weights_only=False)
        assert planted.exists(), "this is what must not happen"
        planted.unlink()
    file = folder / "finegrained_ner" / "model"
    model = srsly.msgpack_loads(file.read_bytes())
    nodes = [node["name"] for node in model["nodes"]]
    shims = model["shims"][nodes.index("tagger")]
    shim = srsly.msgpack_loads(shims[0])
    tagger = srsly.msgpack_loads(shim["state"])
    assert torch.load(BytesIO(tagger["state"]), weights_only=True), "where the weights are"
    shims[0] = srsly.msgpack_dumps(shim | {"state": srsly.msgpack_dumps(tagger | {"state": state})})
    nlp = spacy.load(folder)
    with pytest.raises(pickle.UnpicklingError, match=r"[Ww]eights.only"):
        nlp.get_pipe("finegrained_ner").model.from_bytes(srsly.msgpack_dumps(model))
    assert not planted.exists()


def test_python_files_in_a_pipeline_do_not_run(folder, tmp_path):
    planted = tmp_path / "planted"
    code = f"open({str(planted)!r}, 'w')\n"
    for name in ("__init__.py", "functions.py", "finegrained_ner/__init__.py", "conftest.py"):
        (folder / name).write_text(code)
    (folder / "finegrained_ner" / "cfg.pkl").write_bytes(pickle.dumps(Planted(planted)))
    assert spacy.load(folder)("green tea").has_annotation("ENT_IOB")
    assert not planted.exists()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_runs_what_it_reads(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module, imported = getattr(node, "module", None), {a.name for a in node.names}
            if (module, imported) == ("pickle", {"dumps"}):
                continue  # to see whether a part can be pickled; nothing is read
            # Between processes of one run, as Ray passes all else; nothing is read from a file
            names = (imported | {module}) - ({"pickle"} if path.name == "on_ray.py" else set())
            assert not names & {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "compile", "__import__", "os.system")
            if called == "torch.load":
                assert "weights_only=True" in ast.unparse(node)
            assert "shell=True" not in ast.unparse(node)


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def page(text: str, label: str, coarse: str, name: str) -> str:
    nlp = make_nlp(model=LINEAR)
    data = examples(nlp, ["word/B-A here/O"])
    data[0].reference.set_ents([Span(data[0].reference, 0, 1, label)])
    nlp.get_pipe("finegrained_ner").initialize(lambda: data, taxonomy=Taxonomy({label: coarse}))
    nlp.meta["name"] = nlp.meta["description"] = name
    doc = nlp.make_doc(f"word {text}")
    doc.set_ents([Span(doc, 0, 1, label)])
    return render_page(nlp, [doc])


def test_a_page_holds_no_tags_but_ours_whatever_the_texts_labels_and_names_hold():
    ours = Tags(page("here", "Label", "Coarse", "name"))
    odd = [
        f"</title></style>{SCRIPT}",
        f'"><img src=x onerror=a>{SCRIPT}',
        f"'</dt>{SCRIPT}",
        SCRIPT,
    ]
    theirs = Tags(page(*odd))
    assert (theirs.found, theirs.attributes) == (ours.found, ours.attributes)
    assert "script" not in ours.found
    for value in odd:
        assert re.sub(r"\s", "", value) in re.sub(r"\s", "", theirs.text)


def test_scores_are_printed_with_odd_labels_as_they_are(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "300")
    score = {"p": 0.5, "r": 0.5, "f": 0.5, "support": 2}
    side = {"ents_p": 0.5, "ents_per_type": dict.fromkeys(ODD, score)}
    report = {
        "model": "en_[bold]",
        "data": "[/data]",
        "sentences": 1,
        "entities": 2,
        "unreachable": 0,
        "taxonomy": {label: f"[i]{label}" for label in ODD},
        "gold_tokens": side,
        "running_text": side,
    }
    print_scores(report, per_type=True)
    printed = capsys.readouterr().out
    for text in ("en_[bold] on [/data]", *ODD, *(f"[i]{label}" for label in ODD)):
        assert text in printed


@pytest.mark.parametrize("name", ["[b] |x|", "ünï 日本", "-o'$(touch x)`", "a" * 200])
def test_folders_with_odd_names_are_converted_and_printed(monkeypatch, tmp_path, name):
    monkeypatch.setenv("COLUMNS", "600")
    source = tmp_path / name
    source.mkdir()
    for part in ("train", "valid"):
        (source / f"{part}.conll").write_text("paris B-HumanSettlement\n")
    result = CliRunner().invoke(app, ["convert", str(source), str(source / "out")])
    assert result.exit_code == 0, result.output
    assert str(source / "out" / "train.spacy") in result.output
    assert {path.name for path in tmp_path.iterdir()} == {name}


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(
    lambda name: name == name.strip()
)


@cache
def pipeline():
    return make_nlp(model=LINEAR)


@settings(max_examples=8)
@given(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.casefold), st.randoms())
def test_any_labels_come_back_from_bytes_with_the_same_predictions(labels, random):
    taxonomy = Taxonomy({label: random.choice(["c 1", "c 2"]) + "\n." for label in labels})
    nlp = pipeline()
    data = examples(nlp, ["nothing/O to/O see/O"])
    pipe = nlp.get_pipe("finegrained_ner")
    pipe.initialize(lambda: data, labels=labels, taxonomy=taxonomy)
    other = make_nlp(model=LINEAR).get_pipe("finegrained_ner").from_bytes(pipe.to_bytes())
    assert other.labels == pipe.labels == tuple(sorted(labels))
    assert other.taxonomy == taxonomy
    docs = [nlp.make_doc("see green tea in lyon")]
    for mine, theirs in zip(pipe.predict(docs), other.predict(docs), strict=True):
        assert mine == theirs
    other.set_annotations(docs, other.predict(docs))
    assert {ent.label_ for ent in docs[0].ents} <= set(labels)
