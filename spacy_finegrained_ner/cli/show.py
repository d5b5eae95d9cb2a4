"""The verb `show`: a page of texts with their entities, drawn by displaCy."""

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, Model, load
from spacy_finegrained_ner.errors import UserError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

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


def show(
    model: Model,
    texts: Annotated[Path, typer.Argument(help="Texts: .conll, or .txt with one text a line.")],
    output: Annotated[Path, typer.Option(help="HTML file to write.")],
    code: Code = None,
) -> None:
    """Draw the entities of some texts with displaCy: one hue for each coarse type."""
    nlp = load(model, code, texts)
    docs = list(nlp.pipe(read_texts(texts)))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(render_page(nlp, docs), encoding="utf-8")
    found = sum(len(doc.ents) for doc in docs)
    messages.good(f"Drew {found} entities in {len(docs)} texts: {output}")


def read_texts(path: Path) -> list[str]:
    """Texts of a file: the sentences of a .conll, written as one would write them, or the lines of
    anything else."""
    from spacy_finegrained_ner.data.conll import read_conll
    from spacy_finegrained_ner.labels.invisible import BYTE_ORDER_MARK

    if path.suffix == ".conll":
        texts = (" ".join(sentence.words) for sentence in read_conll(path))
        return [re.sub(r" ([.,:;!?])(?= |$)", r"\1", text) for text in texts]
    try:
        # Texts may hold other line separators
        lines = path.read_text(encoding="utf-8").replace(BYTE_ORDER_MARK, "").split("\n")
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(
            f"{path}: {error}. Expected a .conll file, or text in UTF-8 with one text a line."
        ) from None
    return [line for line in lines if line.strip()]


def render_page(nlp: "Language", docs: "list[Doc]") -> str:
    """A self-contained page, with one hue for each coarse type of the pipeline's taxonomy. displaCy
    escapes the texts; labels, which may come from anybody's data, are escaped here."""
    from spacy import displacy

    from spacy_finegrained_ner.labels.colors import taxonomy_colors
    from spacy_finegrained_ner.scoring.evaluation import component_of, model_name

    taxonomy = component_of(nlp)[1].names.taxonomy
    colors = {escape(label): color for label, color in taxonomy_colors(taxonomy).items()}
    drawn = []
    for doc in docs:
        ents = [
            {"start": ent.start_char, "end": ent.end_char, "label": escape(ent.label_)}
            for ent in doc.ents
        ]
        drawn.append({"text": doc.text, "ents": ents, "title": None})
    options = {"colors": colors, "template": _ENTITY}
    body = displacy.render(
        drawn, style="ent", manual=True, page=False, jupyter=False, options=options
    )
    legend = ""
    for coarse in taxonomy.coarse:
        fine = [escape(label) for label, name in taxonomy.coarse_of.items() if name == coarse]
        marks = [f'<mark style="background:{colors[label]}">{label}</mark>' for label in fine]
        name = "" if taxonomy.flat else escape(coarse)
        legend += f"<dt>{name}</dt><dd>{' '.join(marks)}</dd>"
    return _PAGE.format(
        lang=escape(nlp.meta["lang"]),
        title=escape(model_name(nlp)),
        about=escape(nlp.meta.get("description", "")),
        legend=legend,
        body=body,
    )
