"""A page of texts with their entities, drawn by displaCy."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from spacy import displacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_finegrained_ner.cli.evaluate import EvaluationError, load, taxonomy_of
from spacy_finegrained_ner.data.conll import read_conll
from spacy_finegrained_ner.labels.colors import taxonomy_colors
from spacy_finegrained_ner.labels.invisible import BYTE_ORDER_MARK

# displaCy's own span, but for dark mode (dark text on our light colors) and the label's case.
_ENTITY = '<mark style="background:{bg}">{text}<span class="label">{label}</span></mark>'

_PAGE = """<!doctype html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem; }}
h1 {{ font-size: 1.4rem; margin: 0 0 .25rem; }}
p.about {{ margin: 0 0 1.25rem; opacity: .8; }}
mark {{ color: #1a1a1a; padding: .2em .45em; margin: 0 .1em; border-radius: .35em;
  box-decoration-break: clone; -webkit-box-decoration-break: clone; }}
mark .label {{ font-size: .68em; font-weight: 700; margin-left: .55em; opacity: .75;
  white-space: nowrap; }}
dl {{ display: grid; grid-template-columns: max-content 1fr; gap: .35rem .9rem; margin: 0 0 1.5rem;
  font-size: .85rem; }}
dt {{ font-weight: 700; }}
dd {{ margin: 0; line-height: 2; }}
dd mark {{ margin-right: .3em; white-space: nowrap; }}
.entities {{ line-height: 2 !important; padding: .4rem 0;
  border-top: 1px solid rgb(128 128 128 / .3); break-inside: avoid; }}
@media (max-width: 36rem) {{ dl {{ grid-template-columns: 1fr; }} body {{ padding: 1rem; }} }}
@media print {{ mark {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
<p class="about">{about}</p>
<dl>{legend}</dl>
<main>{body}</main>
</body>
</html>
"""


def show(model: str, texts: Path, output: Path) -> str:
    """Annotate the texts as running text and write a self-contained HTML page. displaCy escapes
    the texts; labels, which may come from anybody's data, are escaped here."""
    nlp = load(model)
    docs = list(nlp.pipe(read_texts(texts)))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(render_page(nlp, docs), encoding="utf-8")
    found = sum(len(doc.ents) for doc in docs)
    return f"Drew {found} entities in {len(docs)} texts: {output}"


def read_texts(path: Path) -> list[str]:
    """Texts of a file: the sentences of a .conll, written as one would write them, or the lines of
    anything else."""
    if path.suffix == ".conll":
        texts = (" ".join(sentence.words) for sentence in read_conll(path))
        return [re.sub(r" ([.,:;!?])(?= |$)", r"\1", text) for text in texts]
    try:
        # Texts may hold other line separators
        lines = path.read_text(encoding="utf-8").replace(BYTE_ORDER_MARK, "").split("\n")
    except (UnicodeDecodeError, OSError) as error:
        raise EvaluationError(
            f"{path}: {error}. Expected a .conll file, or text in UTF-8 with one text a line."
        ) from None
    return [line for line in lines if line.strip()]


def render_page(nlp: Language, docs: list[Doc]) -> str:
    """The page. One hue for each coarse type of the pipeline's taxonomy, as the legend shows."""
    taxonomy = taxonomy_of(nlp)
    colors = taxonomy_colors(taxonomy)
    # displaCy puts labels into the page as they are.
    drawn = [
        {
            "text": doc.text,
            "ents": [
                {"start": e.start_char, "end": e.end_char, "label": escape(e.label_)}
                for e in doc.ents
            ],
            "title": None,
        }
        for doc in docs
    ]
    body = displacy.render(
        drawn,
        style="ent",
        manual=True,
        page=False,
        jupyter=False,
        options={
            "colors": {escape(label): color for label, color in colors.items()},
            "template": _ENTITY,
        },
    )
    legend = "".join(
        f"<dt>{'' if taxonomy.flat else escape(coarse)}</dt><dd>"
        + " ".join(
            f'<mark style="background:{colors[fine]}">{escape(fine)}</mark>'
            for fine in taxonomy.fine
            if taxonomy.coarse_of[fine] == coarse
        )
        + "</dd>"
        for coarse in taxonomy.coarse
    )
    return _PAGE.format(
        lang=escape(nlp.meta["lang"]),
        title=escape(f"{nlp.meta['lang']}_{nlp.meta['name']} {nlp.meta['version']}"),
        about=escape(nlp.meta.get("description", "")),
        legend=legend,
        body=body,
    )
