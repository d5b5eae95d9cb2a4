"""Labelled sentences in the forms that people have them in, by the rules of the real exporters."""

import csv
import io
import json
from pathlib import Path

from spacy.tokens import Doc, DocBin, Span
from spacy.vocab import Vocab

Sentence = tuple[list[str], list[tuple[int, int, str]]]
"""Words, and entities: first word, last word + 1, label."""

LETTERS = {"IOBES": "BIES", "BILUO": "BILU"}


def tags(sentence: Sentence, scheme: str) -> list[str]:
    words, entities = sentence
    found = ["O"] * len(words)
    for start, end, label in entities:
        if scheme in LETTERS:
            begin, inside, last, single = LETTERS[scheme]
            letters = single if end - start == 1 else begin + inside * (end - start - 2) + last
        elif scheme == "IOB2":
            letters = "B" + "I" * (end - start - 1)
        else:
            again = scheme == "IOB1" and any((e, x) == (start, label) for _, e, x in entities)
            letters = ("B" if again else "I") + "I" * (end - start - 1)
        found[start:end] = [x if scheme == "labels" else f"{x}-" for x in letters]
        for i in range(start, end):
            found[i] = label if scheme == "labels" else found[i] + label
    return found


def conll(sentences, scheme="IOB2", columns="{word}\t{tag}", end="\n") -> str:
    lines = []
    for sentence in sentences:
        for word, tag in zip(sentence[0], tags(sentence, scheme), strict=True):
            lines.append(columns.format(word=word, tag=tag))
        lines.append("")
    return end.join(lines)


def offsets(sentence: Sentence) -> tuple[str, list[tuple[int, int, str]]]:
    """The text with a blank between words, and the entities in characters of it."""
    words, entities = sentence
    starts = [sum(len(w) + 1 for w in words[:i]) for i in range(len(words))]
    spans = [(starts[a], starts[b - 1] + len(words[b - 1]), label) for a, b, label in entities]
    return " ".join(words), spans


def jsonl(objects) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects)


def prodigy(sentences, answer="accept") -> str:
    """`prodigy db-out`, after ner.manual. Prodigy leaves `spans` out where there are none."""
    objects = []
    for i, sentence in enumerate(sentences):
        text, spans = offsets(sentence)
        words = sentence[0]
        tokens = []
        for n, word in enumerate(words):
            start = tokens[-1]["end"] + 1 if tokens else 0
            ends = n == len(words) - 1
            tokens.append(
                {"text": word, "start": start, "end": start + len(word), "id": n, "ws": not ends}
            )
        one = {"text": text, "_input_hash": i, "_task_hash": -i, "_is_binary": False}
        one |= {"tokens": tokens, "_view_id": "ner_manual"}
        if spans:
            one["spans"] = [
                {"start": s, "end": e, "token_start": a, "token_end": b - 1, "label": label}
                for (s, e, label), (a, b, _) in zip(spans, sentence[1], strict=True)
            ]
        objects.append(one | {"answer": answer, "_timestamp": 1700000000})
    return jsonl(objects)


def doccano(sentences) -> str:
    texts = map(offsets, sentences)
    return jsonl(
        {"id": i, "text": text, "label": [list(span) for span in spans]}
        for i, (text, spans) in enumerate(texts)
    )


def doccano_relations(sentences) -> str:
    """Of a project with relations."""
    return jsonl(
        {
            "id": i,
            "text": text,
            "entities": [
                {"id": n, "label": label, "start_offset": start, "end_offset": end}
                for n, (start, end, label) in enumerate(spans)
            ],
            "relations": [],
            "Comments": [],
        }
        for i, (text, spans) in enumerate(map(offsets, sentences))
    )


def units(text: str, at: int) -> int:
    """Of a string in JavaScript."""
    return len(text[:at].encode("utf-16-le")) // 2


def region(text: str, start: int, end: int, label: str, utf16: bool = False) -> dict:
    """utf16: of Label Studio before 1.4."""
    where = {"start": start, "end": end}
    if utf16:
        where = {"start": units(text, start), "end": units(text, end)}
    return where | {"text": text[start:end], "labels": [label]}


def label_studio(sentences, utf16: bool = False) -> str:
    return json.dumps(
        [
            {
                "id": i,
                "annotations": [
                    {
                        "id": i,
                        "completed_by": 1,
                        "was_cancelled": False,
                        "result": [
                            {
                                "value": region(text, *span, utf16),
                                "id": f"r{n}",
                                "from_name": "label",
                                "to_name": "text",
                                "type": "labels",
                                "origin": "manual",
                            }
                            for n, span in enumerate(spans)
                        ],
                    }
                ],
                "file_upload": "x.txt",
                "drafts": [],
                "predictions": [],
                "data": {"text": text},
            }
            for i, (text, spans) in enumerate(map(offsets, sentences))
        ],
        indent=2,
    )


def label_studio_min(sentences) -> str:
    """JSON-MIN, which leaves out what is not labelled."""
    return json.dumps(
        [
            {"text": text, "id": i, "annotator": 1, "annotation_id": i, "lead_time": 3.5}
            | {"created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z"}
            | ({"label": [region(text, *span) for span in spans]} if spans else {})
            for i, (text, spans) in enumerate(map(offsets, sentences))
        ]
    )


def brat(folder: Path, sentences) -> None:
    """A text and its annotation for each."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, (text, spans) in enumerate(map(offsets, sentences)):
        (folder / f"{i:04}.txt").write_bytes(text.encode())
        lines = [
            f"T{n}\t{label} {start} {end}\t{text[start:end]}\n"
            for n, (start, end, label) in enumerate(spans, 1)
        ]
        (folder / f"{i:04}.ann").write_bytes("".join(lines).encode())


def table(sentences, delimiter=",") -> str:
    """A row for each entity, and one for a text without any."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(["doc_id", "text", "start", "end", "label"])
    for i, (text, spans) in enumerate(map(offsets, sentences)):
        for span in spans or [("", "", "")]:
            writer.writerow([i, text, *span])
    return out.getvalue()


def listed(sentences) -> str:
    """A row for each text, as pandas writes a column of lists."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["text", "entities"])
    writer.writerows([text, str(spans)] for text, spans in map(offsets, sentences))
    return out.getvalue()


def label_studio_csv(sentences) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["text", "id", "label", "annotator", "annotation_id", "lead_time"])
    for i, (text, spans) in enumerate(map(offsets, sentences)):
        regions = [region(text, *span) for span in spans]
        writer.writerow([text, i, json.dumps(regions) if regions else "", 1, i, 2.5])
    return out.getvalue()


def spacy_2(sentences) -> str:
    return json.dumps([[text, {"entities": spans}] for text, spans in map(offsets, sentences)])


def tag_names(sentences) -> list[str]:
    labels = sorted({label for _, entities in sentences for _, _, label in entities})
    return ["O", *(f"{x}-{label}" for label in labels for x in "BI")]


def numbered(sentences) -> list[dict]:
    names = tag_names(sentences)
    return [
        {"id": str(i), "tokens": s[0], "ner_tags": [names.index(tag) for tag in tags(s, "IOB2")]}
        for i, s in enumerate(sentences)
    ]


def features(sentences) -> dict:
    """As Hugging Face's `datasets` describes the columns of `numbered`."""
    text = {"dtype": "string", "_type": "Value"}
    tag = {"names": tag_names(sentences), "_type": "ClassLabel"}
    return {
        "id": text,
        "tokens": {"feature": text, "_type": "Sequence"},
        "ner_tags": {"feature": tag, "_type": "Sequence"},
    }


def arrow_table(sentences):
    import pyarrow

    schema = pyarrow.schema(
        [
            ("id", pyarrow.string()),
            ("tokens", pyarrow.list_(pyarrow.string())),
            ("ner_tags", pyarrow.list_(pyarrow.int64())),
        ],
        metadata={"huggingface": json.dumps({"info": {"features": features(sentences)}})},
    )
    return pyarrow.Table.from_pylist(numbered(sentences), schema=schema)


def parquet(path: Path, sentences) -> None:
    from pyarrow import parquet as pq

    pq.write_table(arrow_table(sentences), path)


def arrow(path: Path, sentences) -> None:
    """The stream that `Dataset.save_to_disk` writes."""
    from pyarrow import ipc

    found = arrow_table(sentences)
    with ipc.new_stream(path, found.schema) as stream:
        stream.write_table(found)


def docbin(path: Path, sentences) -> None:
    docs = []
    for words, entities in sentences:
        doc = Doc(Vocab(), words=words)
        doc.set_ents([Span(doc, *entity) for entity in entities])
        docs.append(doc)
    DocBin(docs=docs).to_disk(path)
