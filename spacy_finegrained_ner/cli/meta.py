"""The verb `meta`: the meta.json and the model card of a packaged pipeline."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.check_name import check_package_name
from spacy_finegrained_ner.cli.options import Code, load_folder
from spacy_finegrained_ner.errors import UserError

if TYPE_CHECKING:
    from spacy.language import Language

DEMONSTRATION = (
    "A DEMONSTRATION of fine-grained named-entity recognition: trained on nothing but the small "
    "embedded corpus of spacy-finegrained-ner. Train on data of your own, or on MultiCoNER II, "
    "before you rely on it."
)
_SHARE_ALIKE = re.compile(r"\bSA\b|ShareAlike|ODbL|GPL", re.IGNORECASE)
EMBEDDED_SOURCE = {"name": "The embedded corpus of spacy-finegrained-ner", "license": "MIT"}


def meta(
    model: Annotated[Path, typer.Argument(help="Folder of the trained pipeline.")],
    train: Annotated[Path, typer.Option(help="What it was trained on (.spacy).")],
    output: Annotated[Path, typer.Option(help="Where to write meta.json for spacy package.")],
    name: Annotated[str | None, typer.Option(help="Name of the package.")] = None,
    version: Annotated[str | None, typer.Option(help="Its version.")] = None,
    scores: Annotated[
        Path | None, typer.Option(help="What `evaluate` wrote; none for a card without scores.")
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(help="What `calibrate` wrote; not read where that stored no temperatures."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Data that it was trained on: 'name | license | URL', the latter two if there are "
            "any. May be repeated. The encoder is found by itself."
        ),
    ] = None,
    license: Annotated[str, typer.Option(help="Of the pipeline, such as 'MIT'.")] = "",
    author: Annotated[str, typer.Option(help="Of the pipeline.")] = "",
    code: Code = None,
) -> None:
    """Write the meta.json of a package, and its model card into the folder of the pipeline."""
    import srsly
    from spacy.vocab import Vocab

    from spacy_finegrained_ner.cli.card import render_card
    from spacy_finegrained_ner.data.conll import read_conll
    from spacy_finegrained_ner.data.corpus import EMBEDDED
    from spacy_finegrained_ner.data.files import read_docs
    from spacy_finegrained_ner.scoring.evaluation import component_of

    nlp = load_folder(model, code)
    component = component_of(nlp)[1]
    # A demonstration has seen no text that the embedded corpus does not hold
    embedded = {" ".join(s.words) for s in read_conll(EMBEDDED / "train.conll")}
    docs = read_docs(Vocab(), train)
    own = sum(" ".join(token.text for token in doc) not in embedded for doc in docs)
    report = fitted = None
    if scores is not None:
        report = _report(scores, "evaluate", {"data", "gold_tokens", "running_text", "taxonomy"})
        _check(scores, "types", report["taxonomy"], dict(component.names.taxonomy.coarse_of))
    # Where it has none, the file is missing, or of an earlier run
    if calibration is not None and (temperatures := getattr(component, "temperatures", {})):
        keys = {"fitted_on", "reported_on", "before", "after", "temperatures"}
        fitted = _report(calibration, "calibrate", keys)
        _check(calibration, "temperatures", fitted["temperatures"], temperatures)

    found: dict[str, Any] = srsly.read_json(model / "meta.json")
    flat = component.taxonomy.flat
    found["performance"] = _performance(found.get("performance", {}), report, flat)
    found["description"] = DEMONSTRATION
    if own:
        found["description"] = (
            f"Fine-grained named-entity recognition, trained on {len(docs):,} texts."
            + ("" if flat else " Coarse types stand in ent._.coarse_label.")
        )
    found["name"] = name or found["name"]
    found["version"] = version or found["version"]
    found["license"] = license or found.get("license", "")
    found["author"] = author or found.get("author", "")
    given = [_source(text) for text in source or [] if text.strip()]
    data = given if own else [EMBEDDED_SOURCE, *given]
    if sources := data + _encoder(nlp) + _names(component):
        found["sources"] = sources
    if name or version:
        check_package_name(found["lang"], found["name"], found["version"])
    card = render_card(nlp, found, train=train, texts=len(docs), scores=report, calibration=fitted)
    output.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(output, found)
    (model / "README.md").write_text(card, encoding="utf-8")
    messages.good(f"{output}: {found['description']}")
    messages.good(f"{model / 'README.md'}: the model card")


def _report(path: Path, verb: str, keys: set[str]) -> dict[str, Any]:
    import srsly

    try:
        report = srsly.read_json(path)
    except ValueError as error:  # of srsly, for a missing file too
        raise UserError(f"{error}\nExpected {path} to be what `{verb} --output` wrote.") from None
    if not isinstance(report, dict) or not keys <= report.keys():
        raise UserError(f"{path} has not {sorted(keys)}, expected what `{verb} --output` wrote.")
    return report


def _check(path: Path, what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise UserError(
            f"{path} is of another pipeline or an earlier training: it has the {what} "
            f"{str(found)[:80]}, expected {str(expected)[:80]}. Run that command again."
        )


def _performance(
    trained: dict[str, Any], report: dict[str, Any] | None, flat: bool
) -> dict[str, Any]:
    """What spaCy and hubs show as accuracies. Losses are none; and spaCy writes 0 for a score that
    is not there, as those of coarse types where labels are flat."""
    kept = {
        key: value
        for key, value in trained.items()
        if not key.endswith("_loss") and not (flat and key.startswith("ents_coarse"))
    }
    scored = {} if report is None else report["gold_tokens"]
    return kept | {
        key: value
        for key, value in scored.items()
        if key.endswith(("_p", "_r", "_f", "_per_type")) and value is not None
    }


def _source(text: str) -> dict[str, str]:
    """`name | license | URL`, as spaCy has sources."""
    parts = [part.strip() for part in text.split("|")]
    name, licence, url = (*parts, "", "")[:3]
    if len(parts) > 3 or not name or (url and not re.fullmatch(r"https?://[^\s()<>]+", url)):
        raise UserError(
            f"--source {text!r}: expected 'name | license | URL', the latter two if there are any, "
            "such as 'MultiCoNER II | CC BY 4.0 | https://multiconer.github.io'."
        )
    return {k: v for k, v in (("name", name), ("license", licence), ("url", url)) if v}


def _names(component: Any) -> list[dict[str, str]]:
    """The sources of the names that are in the package."""
    if not getattr(component, "has_knowledge", False):
        return []
    sources = []
    for one in component.knowledge.saved_sources(file=component.knowledge_inside):
        facts = {"name": one.get("name") or one["id"], "author": one.get("attribution")}
        facts |= {"license": one.get("license"), "url": one.get("url")}
        sources.append({key: value for key, value in facts.items() if value})
    binding = [x["name"] for x in sources if _SHARE_ALIKE.search(x.get("license", ""))]
    if binding:
        messages.warn(
            f"Names of {', '.join(binding[:5])}{' ...' if binding[5:] else ''} are under licenses "
            "that ask to share alike (such as CC BY-SA, ODbL), and bind the package that has them. "
            "knowledge build --license leaves others out; inside = false keeps all out."
        )
    return sources


def _encoder(nlp: "Language") -> list[dict[str, str]]:
    """The encoder that the training began with, where the config still says which: its name, and
    the license that its own card has."""
    from spacy_finegrained_ner.cli.fetch_encoder import NAME, is_default

    given = nlp.config.get("paths", {}).get("encoder")
    if not given:
        return []
    folder = Path(given)
    if is_default(folder):
        url = f"https://huggingface.co/{NAME}"
        return [{"name": NAME, "license": "apache-2.0", "url": url}]
    # A name of the hub as it is; a folder without those that it is in
    source = {"name": folder.name if folder.exists() or folder.is_absolute() else given}
    card = folder / "README.md"
    if card.is_file():
        text = card.read_text(encoding="utf-8", errors="replace")
        # A line of its front matter, which may be no YAML
        if stated := re.match(r"---\n(?:(?!---).*\n)*?license: *([\w.+-]+)", text):
            source["license"] = stated[1]
    return [source]
