"""A name on the hub, with and without a way to it."""

import time

import encoders
import pytest
import requests
import spacy
from huggingface_hub import configure_http_backend, constants
from requests.adapters import BaseAdapter

from spacy_finegrained_ner.ml.missing_encoder import encoder_is_needed
from spacy_finegrained_ner.ml.wordpieces import build_wordpieces_v1

NAME = "nobody/tiny"
ENCODER = {
    "@architectures": "spacy-finegrained-ner.TransformerLayers.v1",
    "name": NAME,
    "get_spans": {"@span_getters": "spacy-transformers.doc_spans.v1"},
    "layers": 1,
    "combine": "average",
}


class Hub(BaseAdapter):
    """Answers each request with a status, or with an error."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.answer, self.asked = answer, []

    def send(self, request, **_):
        self.asked.append(request.url)
        if isinstance(self.answer, Exception):
            raise self.answer
        response = requests.Response()
        response.status_code, response.url, response.request = self.answer, request.url, request
        return response

    def close(self) -> None:
        pass


@pytest.fixture
def hub(monkeypatch):
    def answers(answer) -> Hub:
        made = Hub(answer)

        def factory() -> requests.Session:
            session = requests.Session()
            session.mount("https://", made)
            return session

        configure_http_backend(factory)
        return made

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"sleeps {seconds} s"))
    yield answers
    configure_http_backend()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """transformers' cache of what was fetched from the hub, empty."""
    monkeypatch.setattr("transformers.utils.hub.TRANSFORMERS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("error", [requests.ConnectionError, requests.ConnectTimeout])
def test_without_a_way_to_the_hub_it_is_said_at_once(hub, cache, error):
    made = hub(error("no route"))
    message = r"'nobody/tiny' can't be loaded\. .*fetch-encoder.*hub can't be reached: no route"
    with pytest.raises(OSError, match=message):
        build_wordpieces_v1(NAME)(spacy.blank("en").make_doc("tea"))
    assert len(made.asked) == 1
    with pytest.raises(OSError, match=message):
        encoders.make_nlp(ENCODER)
    assert len(made.asked) == 2


def test_without_a_way_to_the_hub_the_cache_is_enough(hub, cache):
    folder = cache / "models--nobody--tiny"
    encoders.tiny_bert(folder / "snapshots" / "1")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("1")
    made = hub(requests.ConnectionError("no route"))
    nlp = encoders.make_nlp(ENCODER)
    assert build_wordpieces_v1(NAME)(nlp.make_doc("tea")) >= 3
    assert len(made.asked) == 2


def test_offline_the_hub_is_not_asked(cache, monkeypatch):
    """With the hub's own session, which refuses every request then."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OSError, match=r"can't be loaded.*HF_HUB_OFFLINE is set"):
        encoders.make_nlp(ENCODER)
    folder = cache / "models--nobody--tiny"
    encoders.tiny_bert(folder / "snapshots" / "1")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("1")
    assert encoders.make_nlp(ENCODER).get_pipe("transformer").model.transformer is not None


@pytest.mark.parametrize("error", [requests.exceptions.InvalidProxyURL, OSError])
def test_settings_that_no_request_can_be_made_with(hub, cache, error):
    hub(error("no proxy"))
    with pytest.raises(OSError, match=r"can't be loaded.*no proxy"):
        encoders.make_nlp(ENCODER)


@pytest.mark.parametrize("answer", [200, 401, 404, requests.ReadTimeout("slow")])
def test_a_hub_that_is_there_is_left_to_its_client(hub, answer):
    made = hub(answer)
    with encoder_is_needed(NAME) as options:
        assert options == {}
    assert made.asked == ["https://huggingface.co/nobody/tiny/resolve/main/config.json"]


def test_a_folder_and_what_is_no_name_on_the_hub_are_not_asked_for(hub, tmp_path):
    made = hub(404)
    for name in (str(tmp_path), str(tmp_path / "missing"), "a/b/c"):
        with encoder_is_needed(name) as options:
            assert options == {}
    assert made.asked == []
