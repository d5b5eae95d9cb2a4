"""Names and versions of a packaged pipeline: as setuptools would write them, or refused."""

import re

import pytest
import srsly
from test_commands import run, write_spacy


@pytest.mark.parametrize(
    ("name", "version"),
    [("tickets", "0.1.0"), ("my_tickets2", "1.0.0b0"), ("a", "2024.1"), ("a", "1.0.0+cpu")],
)
def test_a_name_that_stays_as_it_is(name, version):
    assert run("check-name", "de", name, version) == (0, f"✔ de_{name} {version} ")


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("Tickets", "0.1.0", "'Tickets' is not a valid name .* such as 'tickets'"),
        ("my-tickets", "0.1.0", "such as 'my_tickets'"),
        ("my tickets", "0.1.0", "such as 'my_tickets'"),
        ("my__tickets", "0.1.0", "such as 'my_tickets'"),
        ("tickets_", "0.1.0", "such as 'tickets'"),
        ("2tickets", "0.1.0", "such as 'tickets'"),
        ("größe", "0.1.0", "not a valid name"),
        ("", "0.1.0", "such as 'my_ner'"),
        ("de_tickets", "0.1.0", "the language is put before it. Expected it without, 'tickets'"),
        ("tickets", "1.0.0-beta", "'1.0.0-beta' is not a valid version .* such as '1.0.0b0'"),
        ("tickets", "v1", "such as '1'"),
        ("tickets", "latest", "such as '0.1.0'"),
        ("tickets", "", "such as '0.1.0'"),
    ],
)
def test_a_name_that_would_become_another(name, version, message):
    code, printed = run("check-name", "de", name, version)
    assert code == 1
    assert re.search(message, printed), printed


def test_meta_has_the_name_and_checks_it(model, tmp_path):
    meta = ["meta", model, "--train", write_spacy(tmp_path / "train.spacy")]
    meta += ["--output", tmp_path / "meta.json", "--version", "1.2"]
    code, printed = run(*meta, "--name", "tickets")
    assert code == 0, printed
    written = srsly.read_json(tmp_path / "meta.json")
    assert (written["lang"], written["name"], written["version"]) == ("en", "tickets", "1.2")
    (tmp_path / "meta.json").unlink()
    code, printed = run(*meta, "--name", "en_tickets")
    assert code == 1
    assert "Expected it without, 'tickets'" in printed
    assert not (tmp_path / "meta.json").exists()
