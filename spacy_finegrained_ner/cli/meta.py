"""The meta.json of a packaged pipeline."""

from __future__ import annotations

from pathlib import Path

import spacy
import srsly

from spacy_finegrained_ner.cli.evaluate import EvaluationError, read_docs
from spacy_finegrained_ner.cli.package_name import check_package_name
from spacy_finegrained_ner.data.conll import read_conll
from spacy_finegrained_ner.data.corpus import EMBEDDED

DEMONSTRATION = (
    "A DEMONSTRATION of fine-grained named-entity recognition: trained on nothing but the small "
    "embedded corpus of spacy-finegrained-ner. Train on data of your own, or on MultiCoNER II, "
    "before you rely on it."
)


def write_meta(
    model: Path, train: Path, output: Path, *, name: str | None = None, version: str | None = None
) -> str:
    """Write the pipeline's meta with a description of what it was trained on, for
    `spacy package --meta-path`, and with a name and version of the package, if given. Beside the
    pipeline and not in it: a project command whose output changes afterwards runs again.

    A pipeline is a demonstration if it saw no text that the embedded corpus does not hold.
    Raises an `EvaluationError` for what can't be read, and a `PackageNameError` for a name or
    version that a package would not have.
    """
    embedded = {" ".join(s.words) for s in read_conll(EMBEDDED / "train.conll")}
    docs = read_docs(train, spacy.blank("en").vocab)
    own = sum(" ".join(token.text for token in doc) not in embedded for doc in docs)
    try:
        meta = srsly.read_json(model / "meta.json")
    except ValueError as error:  # of srsly, for a missing file too
        raise EvaluationError(
            f"{error}\nExpected {model} to be the folder of a trained pipeline."
        ) from None
    scores = meta.get("performance", {})
    # spaCy writes 0 for a score that is not there, as those of coarse types where labels are flat
    flat = scores.get("ents_coarse_per_type") == 0.0
    if flat:
        meta["performance"] = {k: v for k, v in scores.items() if not k.startswith("ents_coarse")}
    meta["description"] = DEMONSTRATION
    if own:
        meta["description"] = (
            f"Fine-grained named-entity recognition, trained on {len(docs):,} texts."
            + ("" if flat else " Coarse types stand in ent._.coarse_label.")
        )
    meta["name"] = name or meta["name"]
    meta["version"] = version or meta["version"]
    if name or version:
        check_package_name(meta["lang"], meta["name"], meta["version"])
    # From the scores and the description, `spacy package` makes the README of the package.
    output.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(output, meta)
    return f"{output}: {meta['description']}"
