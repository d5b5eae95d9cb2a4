"""Answers that are paid for, and nobody can use or count."""

import chat_server as server
import pytest
from chat_server import ChatServer
from chatting import make_llm, report_of

NAMES = [*server.KNOWN]
TEXTS = [f"{i} {NAMES[i % len(NAMES)]}" for i in range(40)]


@pytest.fixture
def chat():
    found = ChatServer()
    yield found
    found.close()


def test_a_budget_of_tokens_that_nobody_counts_does_not_go_on_text_by_text(chat):
    chat.behave = {"": server.uses(None)}
    nlp = make_llm(chat.url, budget={"tokens": 300})
    nlp(TEXTS[0])
    for text in TEXTS[1:4]:
        with pytest.raises(ValueError, match="does not tell the tokens"):
            nlp(text)
    assert report_of(nlp).requests == 1


@pytest.mark.parametrize("answer", [server.says("no idea"), server.says("{", finish="length")])
def test_answers_that_nobody_can_use_are_no_answers(chat, answer):
    """A model that thinks beyond max_tokens would go through all of the texts."""
    chat.behave = {"": answer}
    nlp = make_llm(chat.url, limits={"give_up_after": 3, "parallel": 1})
    with pytest.raises(ValueError, match="3 texts in a row had no answer"):
        list(nlp.pipe(TEXTS))
    assert report_of(nlp).requests == 3
    chat.behave = {"1": answer}  # not in a row
    nlp = make_llm(chat.url, limits={"give_up_after": 3, "parallel": 1})
    list(nlp.pipe(["1 lyon", "1 pelé", "lyon", "1 tea", "1 green tea", "pelé"]))
    assert report_of(nlp).failed.total() == 4
