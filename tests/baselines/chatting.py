"""Pipelines that ask a chat server."""

import spacy
from spacy.language import Language

TAXONOMY = {"@readers": "spacy-finegrained-ner.Taxonomy.v2", "path": "multiconer2"}
QUICK = {"timeout": 0.6, "retries": 1, "first_wait": 0.02, "max_wait": 0.5}


def make_llm(url: str, *, initialize: bool = True, **config) -> Language:
    """A pipeline with the types of MultiCoNER II and without examples, which waits for little."""
    limits = {**QUICK, **config.pop("limits", {})}
    settings = {"url": url, "model": "tiny", "cache": None, "progress": False}
    nlp = spacy.blank("xx")  # which is made in half the time of "en"
    nlp.add_pipe("finegrained_llm", config={**settings, **config, "limits": limits})
    nlp.config["initialize"]["components"]["finegrained_llm"] = {"taxonomy": TAXONOMY}
    if initialize:
        nlp.initialize()
    return nlp


def report_of(nlp: Language):
    return nlp.get_pipe("finegrained_llm").report


def failure_of(doc) -> str | None:
    return doc.user_data.get("finegrained_llm_failure")
