"""JSON lines that were written, for the tests."""

import json


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
