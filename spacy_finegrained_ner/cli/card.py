"""The model card of a packaged pipeline, in Markdown. It has no front matter: who puts it on a hub
writes that from meta.json."""

from __future__ import annotations

import math
import platform
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from spacy.language import Language
from spacy.util import dot_to_object

from spacy_finegrained_ner.cli.tables import LEVELS
from spacy_finegrained_ner.labels.confidence import NAMES
from spacy_finegrained_ner.pages.document import Table, plain
from spacy_finegrained_ner.pages.intervals import Interval, percent
from spacy_finegrained_ner.scoring.evaluation import component_of

Report = Mapping[str, Any]
PACKAGES = ("spacy", "spacy-finegrained-ner", "torch", "transformers")


def render_card(
    nlp: Language,
    meta: Report,
    *,
    train: Path,
    texts: int,
    scores: Report | None = None,
    calibration: Report | None = None,
) -> str:
    """The card of a pipeline.

    meta: what is to be its meta.json. train: the file that it was trained on. texts: how many it
    has. scores: what `evaluate` wrote. calibration: what `calibrate` wrote.
    """
    name, component = component_of(nlp)
    taxonomy, name_of = component.names.taxonomy, component.names.name_of
    # As they are written
    labels = list(dict.fromkeys(name_of[fine] for fine in component.labels if fine in name_of))
    tree: dict[str, list[str]] = {}
    for fine in labels:
        tree.setdefault(taxonomy.coarse_label(fine), []).append(fine)
    temperatures = getattr(component, "temperatures", {})
    package = f"{meta['lang']}_{meta['name']}"
    text = _TEMPLATES.get_template("card.md").render(
        meta={"sources": [], "license": "", "author": ""} | dict(meta),
        package=package,
        wheel=f"{package}-{meta['version']}-py3-none-any.whl",
        requirement=f"spacy-finegrained-ner {version('spacy-finegrained-ner')}",
        texts=texts,
        flat=taxonomy.flat,
        types=labels,
        component=name,
        names=len(component.knowledge.file) if getattr(component, "has_knowledge", 0) else 0,
        names_inside=getattr(component, "knowledge_inside", False),
        tree=tree,
        not_learned=[fine for fine in taxonomy.fine if fine not in labels],
        scores=scores,
        temperatures=", ".join(f"{key} {value:.3f}" for key, value in temperatures.items()),
        calibration=calibration,
        limits=_limits(nlp, labels, scores),
        versions=[f"Python {platform.python_version()}", *(f"{p} {version(p)}" for p in PACKAGES)],
        **_use(nlp, name, component),
        **({} if scores is None else _scores(nlp, taxonomy.flat, scores, train)),
        **({} if calibration is None else _calibration(taxonomy.flat, calibration)),
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _use(nlp: Language, name: str, component: Any) -> dict[str, Any]:
    """How its entities are read."""
    names = NAMES | nlp.config["components"][name]["extensions"]
    group = component.annotate == "spans"
    span = "span" if group else "ent"
    coarse = None if component.taxonomy.flat else names["coarse_label"]
    sure = component.certainty is not None and component.certainty.on and names["confidence"]
    attributes = [f"{span}.text", f"{span}.label_"]
    attributes += [f"{span}._.{coarse}"] * bool(coarse and not group)
    attributes += [f"{span}._.{sure}"] * bool(sure)
    return {
        "span": span,
        "spans": f"doc.spans[{component.spans_key!r}]" if group else "doc.ents",
        "attributes": attributes,
        "group_of_coarse": group and not component.taxonomy.flat,
        "confidence": f"{span}._.{sure}" if sure else None,
    }


def _scores(nlp: Language, flat: bool, report: Report, train: Path) -> dict[str, Any]:
    tokens, text = report["gold_tokens"], report["running_text"]
    drawn = tokens.get("bootstrap") or {"intervals": {}}

    caption = "Percent, on the tokens of the gold"
    if drawn["intervals"]:
        caption += (
            f"; in parentheses the {drawn['level']:.0%} interval over texts, of one trained model "
            f"({drawn['samples']:,} samples)"
        )
    levels = [
        (
            title,
            *(_percent(tokens.get(f"{key}_{x}")) for x in "pr"),
            _percent(tokens.get(f"{key}_f"), drawn["intervals"].get(f"{key}_f")),
            _percent(text.get(f"{key}_f")),
        )
        for title, key in LEVELS
        if not (flat and "coarse" in key)
    ]
    of_types = drawn.get("per_type", {})
    rows = [
        (
            label,
            *(_percent(score[x]) for x in "pr"),
            _percent(score["f"], of_types.get(label)),
            f"{score['support']:,}",
        )
        for label, score in (tokens.get("ents_per_type") or {}).items()
    ]
    return {
        "role": _role(nlp, report["data"], train),
        "levels": Table(caption, ("exact spans", "P", "R", "F1", "F1 on running text"), levels),
        "per_type": Table("By type, percent", ("type", "P", "R", "F1", "gold entities"), rows),
    }


def _role(nlp: Language, data: str, train: Path) -> str:
    """Whether the scores are of a part that training has seen."""
    config = nlp.config.interpolate()
    try:
        selecting = dot_to_object(config, config["training"]["dev_corpus"]).get("path")
    except KeyError:  # not there any more
        selecting = None
    here = Path(data).resolve()
    if here == train.resolve():
        return "It was trained on these texts: the scores say nothing about others."
    if not selecting:
        return "Whether this part selected the model is not known."
    if here == Path(selecting).resolve():
        return "This part selected the model, so the scores are too favorable."
    return f"The model was selected by another part ({_file(selecting)})."


def _calibration(flat: bool, report: Report) -> dict[str, Any]:
    before, after = report["before"], report["after"]
    rows = []
    for level in ("fine", "span") if flat else ("fine", "coarse", "span"):
        low, high = after[level]["interval"] or (None, None)
        numbers = (before[level]["ece"], after[level]["ece"], low, high, after[level]["floor"])
        a, b, low_, high_, floor = map(_error, numbers)
        rows.append((level, a, b, f"{low_} to {high_}", floor))
    head = ("probability of", "before", "after", "95% interval", "floor")
    title = f"Expected calibration error, {after['entities']:,} entities"
    return {
        "errors": Table(title, head, rows),
        "same_texts": report["fitted_on"] == report["reported_on"],
    }


def _limits(nlp: Language, types: Sequence[str], scores: Report | None) -> list[str]:
    known = set() if scores is None else {*(scores["gold_tokens"].get("ents_per_type") or {})}
    unseen = [label for label in types if label not in known]
    limits = [
        f"Its texts are of one language ({nlp.lang}) and kind. Not tried on other languages and "
        "domains, or other ways of writing (upper and lower case, noise of speech or of OCR).",
        "It knows the types above and no others: what is of another type is left out, or taken for "
        "one of them.",
    ]
    if scores is None:
        limits.append("It has no scores here: measure it on your data before you rely on it.")
    elif unseen:
        limits.append(f"No scores, as the texts have no such entities: {', '.join(unseen)}.")
    return limits


def _file(path: str) -> str:
    """The name alone: folders are those of whoever made the card."""
    return plain(PurePath(path.replace("\\", "/")).name)


def _percent(value: float | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return "-"
    return percent(value) if interval is None else Interval(value, *interval).printed


def _error(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


# What it gives is Markdown: what is anybody's text in it goes through `plain`
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True
)
_TEMPLATES.filters |= {"plain": plain, "file": _file}
