"""The Annotator against `nlp.pipe`, for each kind of data, in threads and in other processes."""

import json
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import spacy
from spacy.language import Language

from spacy_finegrained_ner.annotate.annotator import Annotator
from spacy_finegrained_ner.annotate.engines import in_process
from spacy_finegrained_ner.annotate.files import annotate_files
from spacy_finegrained_ner.annotate.forms import JsonLines
from spacy_finegrained_ner.annotate.inputs import Inputs
from spacy_finegrained_ner.annotate.owner import Owner
from spacy_finegrained_ner.annotate.texts import by_length
from spacy_finegrained_ner.errors import UserError

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def annotator(model):
    with Annotator(model) as annotator:
        yield annotator


def expected(nlp, texts):
    return [
        [
            {
                "start": ent.start_char,
                "end": ent.end_char,
                "text": ent.text,
                "label": ent.label_,
                "coarse_label": ent._.coarse_label,
                "confidence": pytest.approx(ent._.confidence, abs=1e-5),
                "coarse_confidence": pytest.approx(ent._.coarse_confidence, abs=1e-5),
                "span_confidence": pytest.approx(ent._.span_confidence, abs=1e-5),
                "alternatives": [
                    {"label": label, "confidence": pytest.approx(p, abs=1e-5)}
                    for label, p in ent._.alternatives
                ],
            }
            for ent in doc.ents
        ]
        for doc in nlp.pipe(texts)
    ]


def test_it_finds_what_nlp_pipe_finds(nlp, annotator, texts):
    wanted = expected(nlp, texts)
    assert sum(map(len, wanted)) > 100
    assert annotator.entities(texts) == wanted


def near(value):
    """Numbers may differ by what else is in the batch."""
    if isinstance(value, list):
        return [near(one) for one in value]
    if isinstance(value, dict):
        return {key: near(one) for key, one in value.items()}
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value


def plain(values):
    """Of arrays and structs of any library."""
    return json.loads(json.dumps(values, default=lambda array: array.tolist()))


KINDS = {
    "list": (list, lambda made: [row["entities"] for row in made]),
    "tuple": (tuple, lambda made: [row["entities"] for row in made]),
    "frame": (
        lambda texts: pd.DataFrame({"n": range(len(texts)), "text": texts}, index=texts),
        lambda made: list(made["entities"]),
    ),
    "table": (lambda texts: pa.table({"text": texts}), lambda made: made["entities"].to_pylist()),
    "batch": (
        lambda texts: pa.RecordBatch.from_pydict({"text": texts}),
        lambda made: made["entities"].to_pylist(),
    ),
    "columns": (lambda texts: {"text": texts}, lambda made: made["entities"]),
    "arrays": (
        lambda texts: {"text": np.array(texts, dtype=object)},
        lambda made: made["entities"],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_kind_comes_back_with_a_column_more(annotator, texts, kind):
    make, read = KINDS[kind]
    data = make(texts)
    made = annotator(data)
    # Arrow has the same columns whether names are known or not
    none = {"evidence": None} if kind in ("table", "batch") else {}
    wanted = [[{**entity, **none} for entity in some] for some in annotator.entities(texts)]
    assert plain(read(made)) == wanted
    if kind not in ("list", "tuple"):
        assert type(made) is type(data)
        assert "entities" not in (data.schema.names if hasattr(data, "schema") else data)
    if kind == "frame":
        assert list(made.index) == texts
        assert list(made["n"]) == list(range(len(texts)))
    if kind in ("table", "batch"):
        assert made.schema == annotator.schema(data.schema)


def test_of_an_iterator_as_much_is_read_as_is_asked_for(annotator, texts):
    read = []

    def frames():
        for start in range(0, 40, 10):
            read.append(start)
            yield pd.DataFrame({"text": texts[start : start + 10]})

    made = annotator(frames())
    first = next(made)
    assert read == [0]
    found = pd.concat([first, *made])["entities"].tolist()
    assert found == near(annotator.entities(texts[:40]))


def test_what_is_missing_stays_missing(annotator):
    frame = pd.DataFrame({"text": ["pelé", None, float("nan"), pd.NA, ""]})
    found = annotator(frame)["entities"].tolist()
    assert [one if one is None else len(one) for one in found] == [1, None, None, None, 0]
    table = annotator(pa.table({"text": ["pelé", None]}))
    assert table["entities"].null_count == 1


def test_nothing_gives_nothing_with_the_schema(annotator):
    empty = pa.table({"text": pa.array([], pa.string())})
    assert annotator(empty).schema == annotator.schema()
    assert annotator([]) == []


def test_names_of_columns(model):
    annotator = Annotator(model, text_column="body", entities_column="found")
    assert annotator({"body": ["pelé"]})["found"][0][0]["label"] == "Athlete"
    assert annotator(["pelé"])[0]["body"] == "pelé"
    assert annotator.schema(pa.schema([("n", pa.int8())])).names == ["n", "found"]


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        ("pelé", TypeError, "Found str, expected a list of texts, a pandas DataFrame"),
        (3, TypeError, "Found int"),
        ({"body": ["a"]}, ValueError, r"no column 'text'.*There are: \['body'\]. Set text_column"),
        (["a", 3], TypeError, "Text 1 is 3, expected a str"),
    ],
)
def test_other_data_is_refused(annotator, data, error, says):
    with pytest.raises(error, match=says):
        annotator(data)


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"errors": "ignore"}, "'raise' or 'null'"), ({"threads": 0}, "threads is 0")],
)
def test_other_settings_are_refused(model, settings, says):
    with pytest.raises(ValueError, match=says):
        Annotator(model, **settings)


def test_a_text_that_fails_is_named_or_null_and_takes_no_other_with_it(model, nlp):
    texts = ["pelé", "x" * (nlp.max_length + 1), "green tea"]
    with pytest.raises(ValueError, match=r"fails at text 1, 'xxx.*E088.*errors='null'"):
        Annotator(model).entities(texts)
    found = Annotator(model, errors="null").entities(texts)
    assert [one if one is None else one[0]["text"] for one in found] == ["pelé", None, "green tea"]


def test_a_pipeline_that_is_not_there_is_told_to_who_asks(tmp_path):
    annotator = Annotator(tmp_path / "none")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"(?s)none.*Expected an installed pipeline package"):
            annotator(["a"])
    with pytest.raises(ValueError, match="no component 'finegrained_ner'"):
        Annotator(spacy.blank("en"))(["a"])


def test_no_gpu_is_told(model):
    with pytest.raises(ValueError, match="GPU 99 can't be used"):
        Annotator(model, gpu_id=99)(["a"])


def test_many_threads_get_what_one_gets(annotator, texts):
    """Memory zones in two threads are an error of spaCy's (E018), or worse."""
    wanted = annotator.entities(texts)
    with ThreadPoolExecutor(16) as pool:
        for _ in range(5):
            found = list(pool.map(annotator.entities, [texts[i::16] for i in range(16)]))
            assert found == near([wanted[i::16] for i in range(16)])


def test_a_pickled_one_is_settings_alone_and_works_elsewhere(model, annotator, texts):
    data = pickle.dumps(annotator)
    assert len(data) < 1000
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(pickle.loads(data).entities, (texts[:5],)) == annotator.entities(
            texts[:5]
        )


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="nothing forks here")
def test_a_fork_makes_its_own_thread(annotator, texts):
    wanted = annotator.entities(texts[:5])
    with get_context("fork").Pool(1) as pool:
        assert pool.apply_async(annotator.entities, (texts[:5],)).get(timeout=60) == wanted


def test_what_was_given_up_leaves_no_thread(model):
    before = set(threading.enumerate())
    annotator = Annotator(model)
    annotator(["pelé"])
    annotator.close()
    assert set(threading.enumerate()) == before
    assert annotator(["pelé"])[0]["entities"]
    (thread,) = set(threading.enumerate()) - before
    del annotator
    thread.join(timeout=5)
    assert not thread.is_alive()


def test_the_vocab_does_not_grow_with_texts(model):
    nlp = spacy.load(model)
    annotator = Annotator(nlp)
    annotator([f"unseen{i}" for i in range(50)])
    before = len(nlp.vocab.strings), len(list(nlp.vocab))
    annotator([f"new{i} word{i}" for i in range(500)])
    assert (len(nlp.vocab.strings), len(list(nlp.vocab))) == before


def test_batches_are_of_about_one_length():
    texts = ["x" * n for n in (5, 90_000, 7, 30_000, 60_000, 0)] + ["y"] * 1000
    batches = list(by_length(texts))
    assert sorted(i for batch in batches for i in batch) == list(range(len(texts)))
    lengths = [[len(texts[i]) for i in batch] for batch in batches]
    assert lengths[:2] == [[90_000], [60_000, 30_000, 7, 5, *[1] * 508]]
    assert all(len(batch) <= 512 for batch in batches)


@Language.component("breaks")
def breaks(doc):
    if BROKEN:
        raise RuntimeError("CUDA error")
    return doc


BROKEN: list[bool] = []


def test_a_pipeline_that_fails_at_any_text_ends_it_and_sets_none_aside(tmp_path, model, jsonl):
    nlp = spacy.load(model)
    nlp.add_pipe("breaks")
    annotator, parts = Annotator(model), []
    annotator._owner = Owner(lambda: nlp)
    inputs, form = Inputs([str(jsonl)], block_rows=20), JsonLines("text", "entities")

    def finished(part):
        parts.append(part)
        BROKEN.append(True)

    output = tmp_path / "o.jsonl"
    try:
        with pytest.raises(UserError, match=r"fails at any text.*CUDA error"):
            annotate_files(annotator, inputs, form, output, in_process, finished=finished)
    finally:
        BROKEN.clear()
    assert not output.exists()
    assert not any(part.bad for part in parts)
    annotate_files(Annotator(model), inputs, form, output, in_process)
    assert len(output.read_text().splitlines()) == 100
