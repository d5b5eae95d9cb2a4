"""Prompts of `finegrained_llm`, and the examples in them."""

from collections import Counter

import numpy as np
import pytest
import spacy
from chat_server import ChatServer
from chatting import make_llm
from pipelines import HASH_EMBED, SENTENCES, examples
from pydantic import TypeAdapter, ValidationError

from spacy_finegrained_ner.baselines.llm.examples import (
    build_fixed_examples_v1,
    build_nearest_examples_v1,
    stratified,
)
from spacy_finegrained_ner.baselines.llm.prompt import (
    DEFAULT_TEMPLATE,
    FewShot,
    make_prompt,
    read_template,
    schema_of,
)
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.taxonomy import Taxonomy, flat_taxonomy, read_taxonomy

TEMPLATE = read_template(DEFAULT_TEMPLATE)
TYPES = Taxonomy({"Laptop": "Hardware", "Phone": "Hardware", "Crash": "Problem"})
SHOT = FewShot("my macbook", (("macbook", "Laptop"),))


def test_the_prompt_as_it_is_sent():
    assert make_prompt(TEMPLATE, TYPES, [SHOT], "a <b> & {{ c }}").splitlines() == [
        "Find all named entities in the text and give each its type.",
        "",
        "The types, under their coarse types:",
        "Hardware: Laptop, Phone",
        "Problem: Crash",
        "",
        "Answer with JSON of this form and nothing else:",
        '{"entities": [{"text": "...", "label": "..."}]}',
        '"text" is copied from the text letter by letter. "label" is one of the types above, '
        "spelled the same, and not a coarse type. List the entities in the order of the text. "
        'Where there are none: {"entities": []}',
        "",
        "Text: my macbook",
        'Answer: {"entities": [{"text": "macbook", "label": "Laptop"}]}',
        "",
        "Text: a <b> & {{ c }}",
        "Answer:",
    ]


def test_definitions_are_shown_and_flat_labels_have_no_coarse_types():
    defined = Taxonomy(TYPES.coarse_of, definitions={"Phone": "a telephone"})
    lines = make_prompt(TEMPLATE, defined, [], "x").splitlines()
    at = lines.index("Hardware:")
    assert lines[at : at + 4] == ["Hardware:", "- Laptop", "- Phone: a telephone", "Problem: Crash"]
    flat = make_prompt(TEMPLATE, flat_taxonomy(["Phone", "Crash"]), [], "x")
    assert "The types:\n- Phone\n- Crash\n\n" in flat
    assert "coarse" not in flat


def test_definitions_of_a_taxonomy_file(tmp_path):
    path = tmp_path / "types.toml"
    path.write_text(
        'Problem = ["Crash"]\n[Hardware]\nlaptop = " by model or brand "\nPhone = ""\n'
        '["Odd name"]\n"Error/Code" = "such as 0x80"\n'
    )
    found = read_taxonomy(path)
    assert dict(found.coarse_of) == {
        **{"Crash": "Problem", "laptop": "Hardware", "Phone": "Hardware"},
        "Error/Code": "Odd name",
    }
    expected = {"laptop": "by model or brand", "Error/Code": "such as 0x80"}
    assert found.definitions == expected
    spelled = found.spelled_as(["Laptop"])
    assert spelled.definitions == {"Laptop": expected["laptop"], "Error/Code": "such as 0x80"}
    import pickle

    assert pickle.loads(pickle.dumps(spelled)).definitions == spelled.definitions


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if %}", r"t\.jinja: The template of the prompt is not Jinja"),
        ("{{ text }} {{ nothing }}", "'nothing' is undefined. It is given groups"),
        ("no text", r"does not show the text: write \{\{ text \}\}"),
        ("{{ text.__class__.__mro__ }}", "can't be rendered"),  # the sandbox
        ("{{ text + 1 }}", "can't be rendered: TypeError"),
        ("{{ text }} {{ 1 / 0 }}", "can't be rendered: ZeroDivisionError"),
        ("{% for a, b, c in groups %}{{ text }}{% endfor %}", "can't be rendered: ValueError"),
        (b"\xff", "can't be read as a template"),
    ],
)
def test_a_template_that_is_none_is_told(tmp_path, template, message):
    path = tmp_path / "t.jinja"
    path.write_bytes(template if isinstance(template, bytes) else template.encode())
    with pytest.raises(UserError, match=message):
        read_template(path)


def test_the_schema_is_what_answers_are_checked_against():
    """By a validator that is not ours: pydantic reads JSON schemas of this form from a model."""
    from typing import Literal

    from pydantic import BaseModel, ConfigDict

    class Mention(BaseModel):
        model_config = ConfigDict(extra="forbid")
        text: str
        label: Literal["Laptop", "Phone"]

    class Answer(BaseModel):
        model_config = ConfigDict(extra="forbid")
        entities: list[Mention]

    def plain(schema):
        """Without titles, and with references put in."""
        if isinstance(schema, list):
            return [plain(part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return plain(definitions[schema["$ref"].rpartition("/")[2]])
        return {k: plain(v) for k, v in schema.items() if k not in ("title", "$defs")}

    schema = Answer.model_json_schema()
    definitions = schema["$defs"]
    assert schema_of(["Laptop", "Phone"]) == plain(schema)
    TypeAdapter(Answer).validate_json(SHOT.answer)
    with pytest.raises(ValidationError):
        TypeAdapter(Answer).validate_json('{"entities": [{"text": "x", "label": "Dragon"}]}')


def shots(*labels: str) -> list[FewShot]:
    return [FewShot(f"text {i}", tuple((x, x) for x in row)) for i, row in enumerate(labels)]


def test_all_types_occur_if_that_is_possible():
    pool = shots("A", "A", "A", "AB", "", "C", "CD", "A", "E")
    for seed in range(20):
        drawn = stratified(pool, 3, seed)
        assert {label for shot in drawn for _, label in shot.mentions} == {*"ABCDE"}
        counts = Counter(label for shot in stratified(pool, 6, seed) for _, label in shot.mentions)
        assert counts["B"] == counts["D"] == counts["E"] == 2 or len(counts) == 5
    assert stratified(pool, 4, 1) == stratified(pool, 4, 1)
    assert len({tuple(stratified(pool, 4, seed)) for seed in range(20)}) > 1
    assert len(stratified(pool, 100, 0)) == 8  # not the one without entities
    assert stratified(pool, 0, 0) == stratified([], 3, 0) == []


def gold() -> list:
    return [example.reference for example in examples(spacy.blank("en"))]


def test_nearest_are_those_by_mean_vectors_the_nearest_last_and_never_the_text_itself():
    encoder = spacy.registry.resolve({"x": HASH_EMBED["tok2vec"]})["x"]
    nearest = build_nearest_examples_v1(encoder, 2)
    docs = gold()
    nearest.draw(docs, read_taxonomy())
    with_entities = [doc for doc in docs if doc.ents]
    means = np.array([encoder.predict([doc])[0].mean(axis=0) for doc in with_entities])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    asked = [spacy.blank("en")(t) for t in ("is there coffee in lyon ?", "pelé", docs[0].text)]
    for doc, found in zip(asked, nearest.of(asked), strict=True):
        mean = encoder.predict([doc])[0].mean(axis=0)
        order = np.argsort(-(means @ mean))
        texts = [with_entities[i].text.strip() for i in order]
        texts = [text for text in texts if text != doc.text.strip()]
        assert [shot.text for shot in found] == texts[:2][::-1]
    again = build_nearest_examples_v1(spacy.registry.resolve({"x": HASH_EMBED["tok2vec"]})["x"], 2)
    again.from_bytes(nearest.to_bytes())
    assert again.of(asked) == nearest.of(asked)
    empty = build_nearest_examples_v1(encoder, 2)
    empty.draw([], read_taxonomy())
    assert empty.from_bytes(empty.to_bytes()).of(asked) == [(), (), ()]
    assert nearest.of([spacy.blank("en")("")])[0]


def test_the_text_itself_is_no_example():
    fixed = build_fixed_examples_v1(number=10)
    fixed.draw(gold(), read_taxonomy())
    first = gold()[0]
    assert len(fixed.drawn) == 4
    (found,) = fixed.of([first])
    others = [shot.text for shot in fixed.drawn if shot.text != first.text.strip()]
    assert len(others) == 3
    assert [shot.text for shot in found] == others


def test_the_body_of_a_request():
    nlp = make_llm("http://localhost:1/v1", request={"max_tokens": 7, "extra": {"top_p": 0.5}})
    nlp.get_pipe("finegrained_llm").initialize(lambda: examples(nlp), taxonomy=read_taxonomy())
    (body,) = nlp.get_pipe("finegrained_llm").bodies([nlp.make_doc("pelé")])
    (message,) = body.pop("messages")
    assert message["role"] == "user"
    assert all(text.replace("/", " ") or text in message["content"] for text in SENTENCES)
    schema = body["response_format"]["json_schema"]
    assert schema["strict"] is True
    labels = schema["schema"]["properties"]["entities"]["items"]["properties"]["label"]["enum"]
    assert set(labels) == set(read_taxonomy().fine)
    del body["response_format"]
    expected = {"model": "tiny", "max_tokens": 7, "temperature": 0.0, "seed": 0, "top_p": 0.5}
    assert body == expected


@pytest.mark.parametrize(
    ("form", "sent"), [("json_object", {"type": "json_object"}), ("text", None)]
)
def test_other_forms_of_a_response_and_what_is_left_out(form, sent):
    chat = ChatServer()
    try:
        off = {"temperature": None, "seed": None, "max_tokens": None}
        nlp = make_llm(chat.url, request={"response_format": form, **off})
        assert nlp("lyon").ents
        (body,) = chat.bodies
        assert body.get("response_format") == sent
        assert set(body) - {"response_format"} == {"model", "messages"}
    finally:
        chat.close()
