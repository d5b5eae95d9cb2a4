"""How sure a pipeline is: against all paths looked at one by one, and where it is written."""

import pickle

import numpy as np
import pytest
import spacy
import torch
from enumeration import Case
from pipelines import HASH_EMBED, LINEAR, examples, make_nlp, train
from spacy.tokens import Doc, DocBin, Span
from spacy.tokens.underscore import Underscore

from spacy_finegrained_ner.data.extensions import facts_of
from spacy_finegrained_ner.extend import Decoder, Decoding
from spacy_finegrained_ner.ml.decoder import log_posteriors

NAME = "finegrained_ner"
TEXT = "pelé met green tea"


def trained(steps=25, **config):
    nlp = make_nlp(**config)
    train(nlp, examples(nlp), steps)
    return nlp


def all_paths(nlp, text) -> dict[tuple[int, int, str], float]:
    """The probability of each entity, summed over all tag sequences that are BIO and have it."""
    pipe = nlp.get_pipe(NAME)
    scores = pipe.model.predict([nlp.make_doc(text)])[0].tasks[0]
    emissions, *crf = (torch.from_numpy(np.array(x)).double() for x in scores)
    tags = pipe._tag_set
    size = len(tags)
    transitions, starts, ends = crf or (torch.zeros(size, size), *torch.zeros(2, size))
    transitions[~torch.from_numpy(tags.legal_transitions)] = -torch.inf
    starts[~torch.from_numpy(tags.legal_starts)] = -torch.inf
    case = Case(emissions, torch.tensor([emissions.shape[1]]), transitions, starts, ends)
    total: dict[tuple[int, int, str], float] = {}
    for path, share in zip(case.paths(0), case.scores(0).softmax(dim=0).tolist(), strict=True):
        if share:
            for entity in tags.decode(path.numpy()):
                total[entity] = total.get(entity, 0.0) + share
    return total


@pytest.mark.parametrize("model", [HASH_EMBED, LINEAR])
def test_all_numbers_equal_those_over_all_paths(model):
    nlp = trained(model=model, alternatives=2, candidates={"at_least": 1e-4, "spans_key": "others"})
    expected = all_paths(nlp, TEXT)
    doc = nlp(TEXT)
    taxonomy = nlp.get_pipe(NAME).taxonomy
    assert doc.ents
    for ent in doc.ents:
        here = {x: p for (*b, x), p in expected.items() if b == [ent.start, ent.end]}
        assert ent._.confidence == pytest.approx(here[ent.label_], abs=1e-5)
        assert ent._.span_confidence == pytest.approx(sum(here.values()), abs=1e-5)
        coarse = [p for x, p in here.items() if taxonomy.coarse_of[x] == ent._.coarse_label]
        assert ent._.coarse_confidence == pytest.approx(sum(coarse), abs=1e-5)
        best = sorted(here.items(), key=lambda item: -item[1])[:2]
        assert [x for x, _ in ent._.alternatives] == [x for x, _ in best]
        assert [p for _, p in ent._.alternatives] == pytest.approx([p for _, p in best], abs=1e-5)
    found = {(ent.start, ent.end, ent.label_) for ent in doc.ents}
    others = {e: p for e, p in expected.items() if p >= 1e-4 and e not in found}
    group = doc.spans["others"]
    assert others
    assert {(s.start, s.end, s.label_) for s in group} == others.keys()
    assert list(group.attrs["scores"]) == pytest.approx(
        sorted(others.values(), reverse=True), abs=1e-5
    )
    assert group.attrs["coarse_labels"] == [taxonomy.coarse_of[s.label_] for s in group]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("confidence")
    trained().to_disk(folder)
    return folder


def load(saved, **settings):
    return spacy.load(saved, config={"components": {NAME: settings}})


def numbers(doc):
    return [(e.label_, e._.confidence, e._.coarse_confidence, e._.alternatives) for e in doc.ents]


@pytest.mark.parametrize(
    "way",
    [
        lambda nlp, doc: nlp(doc.text),
        lambda nlp, doc: pickle.loads(pickle.dumps(nlp))(doc.text),
        lambda nlp, doc: next(iter(nlp.pipe([doc.text] * 2, n_process=2, batch_size=1))),
        lambda nlp, doc: next(DocBin(docs=[doc], store_user_data=True).get_docs(nlp.vocab)),
        lambda nlp, doc: Doc.from_docs([doc]),
    ],
)
def test_numbers_are_kept(saved, way):
    nlp = spacy.load(saved)
    doc = nlp(TEXT)
    assert doc.ents
    assert all(0.0 < p <= 1.0 for _, p, _, _ in numbers(doc))
    assert numbers(way(nlp, doc)) == [
        (x, pytest.approx(p), pytest.approx(q), [(a, pytest.approx(r)) for a, r in others])
        for x, p, q, others in numbers(doc)
    ]


def test_an_entity_of_somebody_elses_label_has_none_and_keeps_it(saved):
    nlp = spacy.load(saved)
    doc = nlp(TEXT)
    doc.set_ents([Span(doc, 0, 1, "Food"), Span(doc, 2, 4, "Person")], default="outside")
    assert [(e._.confidence, e._.span_confidence, e._.alternatives) for e in doc.ents] == [
        (None, None, [])
    ] * 2
    assert [e._.label_at(fine=1.0, coarse=1.0) for e in doc.ents] == ["Food", "Person"]


def test_off_it_is_not_there(saved):
    doc = load(saved, confidence=False)(TEXT)
    assert doc.ents
    assert all(not facts_of(ent) for ent in doc.ents)
    assert load(saved, alternatives=0)(TEXT).ents[0]._.alternatives == []


def test_the_view_falls_back_to_the_coarse_type_or_to_nothing(saved):
    nlp = spacy.load(saved)
    first = nlp(TEXT).ents[0]
    fine, coarse = first._.confidence, first._.coarse_confidence
    assert fine < coarse < 1.0
    between = (fine + coarse) / 2
    assert first._.label_at(fine=fine, coarse=1.0) == first.label_
    assert first._.label_at(fine=between, coarse=between) == first._.coarse_label
    assert first._.label_at(fine=between, coarse=1.0) is None
    for (f, c), label, p in (
        ((fine, 1.0), first.label_, fine),
        ((between, between), first._.coarse_label, coarse),
        ((between, 1.0), None, None),
    ):
        sure = load(saved, back_off={"fine": f, "coarse": c, "spans_key": "sure"})
        doc = sure(TEXT)
        assert doc.ents[0].label_ == first.label_  # as always
        view = [s for s in doc.spans["sure"] if s.start == first.start]
        assert [span.label_ for span in view] == ([] if label is None else [label])
        if label is not None:
            at = list(doc.spans["sure"]).index(view[0])
            assert doc.spans["sure"].attrs["scores"][at] == pytest.approx(p)
            assert doc.spans["sure"].attrs["coarse_labels"][at] == first._.coarse_label


def test_a_span_group_has_scores_as_spancat_has_them(saved):
    plain = spacy.load(saved)(TEXT)
    doc = load(saved, annotate="spans", spans_key="mine")(TEXT)
    assert doc.spans["mine"].attrs["scores"] == pytest.approx(
        [ent._.confidence for ent in plain.ents]
    )


class Longest(Decoder):
    """Decodes in a way of its own: what it inherits says nothing of its entities."""

    def decode(self, scores, lengths):
        return [[(0, n, self.tag_set.labels[0])] for n in lengths]


class Sure(Longest):
    def posteriors(self, scores, lengths, temperature=1.0):
        return Decoder.posteriors(self, scores, lengths, temperature)


def test_a_decoder_of_ones_own_has_numbers_only_by_its_own_account():
    nlp = trained(steps=1, back_off={"fine": 1e-9, "coarse": 1e-9, "spans_key": "sure"})
    pipe = nlp.get_pipe(NAME)
    for kind, known in ((Longest, False), (Sure, True)):
        pipe.model.attrs["decoding"] = Decoding(kind, transitions=True)
        pipe._decoders.clear()
        doc = nlp(TEXT)
        assert [(e.text, e._.confidence is not None) for e in doc.ents] == [(TEXT, known)]
        assert len(doc.spans["sure"]) == known


def test_whitespace_and_no_tokens(saved):
    nlp = load(saved, candidates={"at_least": 0.001, "spans_key": "others"})
    docs = list(nlp.pipe(["", " ", " pelé \n met", TEXT]))
    assert [list(doc.spans["others"]) for doc in docs[:2]] == [[], []]
    for doc in docs:
        assert all(ent._.confidence is not None for ent in doc.ents)
        assert not any(s[0].is_space or s[-1].is_space for s in doc.spans["others"])


def test_an_entity_with_whitespace_at_its_end_has_the_numbers_of_what_is_left(saved):
    nlp = load(saved, candidates={"spans_key": "others", "at_least": 1e-4}, alternatives=9)
    doc = nlp(Doc(nlp.vocab, words=["green", "tea", " ", "pelé", "\n"], spaces=[True] * 5))
    found = {(e.start, e.end, x): p for e in doc.ents for x, p in e._.alternatives}
    pipe = nlp.get_pipe(NAME)
    ((_, batch, _),) = pipe.scored([doc])
    posteriors = pipe.decoder.posteriors(batch.tasks[0], batch.lengths)
    for (start, end, label), p in found.items():
        log = log_posteriors(posteriors, [(0, start, end)])[0]
        assert p == pytest.approx(np.exp(log[pipe.labels.index(label)]))
    others = {(s.start, s.end, s.label_) for s in doc.spans["others"]}
    assert not others & {(e.start, e.end, e.label_) for e in doc.ents}


def test_temperatures_are_of_these_weights(saved, tmp_path):
    nlp, other = spacy.load(saved), spacy.load(saved)
    pipe = nlp.get_pipe(NAME)
    plain = numbers(nlp(TEXT))
    pipe.temperatures = {"path": 3.0, "label": 2.0}
    assert numbers(nlp(TEXT)) != plain
    assert [ent.label_ for ent in nlp(TEXT).ents] == [label for label, *_ in plain]
    nlp.to_disk(tmp_path)
    assert numbers(spacy.load(tmp_path)(TEXT)) == numbers(nlp(TEXT))
    nlp.from_bytes(other.to_bytes())  # in place of a calibrated one
    assert pipe.temperatures == {}
    assert numbers(nlp(TEXT)) == plain
    pipe.temperatures = {"path": 3.0}
    sgd = nlp.resume_training()
    nlp.update(examples(nlp), sgd=sgd)
    assert pipe.temperatures == {}


def test_candidates_and_alternatives_are_of_one_temperature(saved):
    settings = {"spans_key": "others", "at_least": 1e-3}
    nlp = load(saved, candidates=settings, alternatives=9)
    nlp.get_pipe(NAME).temperatures = {"path": 1.5, "label": 4.0}
    doc = nlp(TEXT)
    group = doc.spans["others"]
    p = {(s.start, s.end, s.label_): x for s, x in zip(group, group.attrs["scores"], strict=True)}
    for ent in doc.ents:
        others = {label: x for label, x in ent._.alternatives if label != ent.label_}
        assert others
        for label, x in others.items():
            assert (x >= 1e-3) == ((ent.start, ent.end, label) in p)
            assert p.get((ent.start, ent.end, label), x) == pytest.approx(x)


def test_settings_that_give_no_numbers_take_no_names(monkeypatch):
    monkeypatch.setattr(Underscore, "span_extensions", {})
    make_nlp(confidence=False)
    spacy.blank("en").add_pipe("crf_ner")
    assert not Span.has_extension("confidence")
    assert Span.has_extension("coarse_label")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alternatives": -1}, "alternatives of 'finegrained_ner' is -1"),
        ({"candidates": {"at_least": 0.0}}, "candidates.at_least of .* is 0.0"),
        ({"candidates": {"spans_key": ""}}, "candidates.spans_key of .* is ''"),
        ({"candidates": {"least": 0.1}}, "candidates of 'finegrained_ner' has"),
        ({"back_off": {"fine": -1}}, "back_off.fine of .* is -1"),
        ({"candidates": {"spans_key": "x"}, "back_off": {"spans_key": "x"}}, "are both 'x'"),
        ({"candidates": {"spans_key": "x"}, "annotate": "spans", "spans_key": "x"}, "are both 'x'"),
        ({"confidence": False, "back_off": {"spans_key": "x"}}, "which needs the confidence"),
    ],
)
def test_settings_that_say_nothing(settings, message):
    with pytest.raises(ValueError, match=message):
        make_nlp(**settings)
