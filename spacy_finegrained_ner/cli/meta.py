"""The verb `meta`: the meta.json of a packaged pipeline."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.check_name import check_package_name
from spacy_finegrained_ner.cli.options import Code, import_code
from spacy_finegrained_ner.errors import UserError

DEMONSTRATION = (
    "A DEMONSTRATION of fine-grained named-entity recognition: trained on nothing but the small "
    "embedded corpus of spacy-finegrained-ner. Train on data of your own, or on MultiCoNER II, "
    "before you rely on it."
)


def meta(
    model: Annotated[Path, typer.Argument(help="Folder of the trained pipeline.")],
    train: Annotated[Path, typer.Option(help="What it was trained on (.spacy).")],
    output: Annotated[Path, typer.Option(help="Where to write meta.json for spacy package.")],
    name: Annotated[str | None, typer.Option(help="Name of the package.")] = None,
    version: Annotated[str | None, typer.Option(help="Its version.")] = None,
    code: Code = None,
) -> None:
    """Write a meta.json that says what the pipeline was trained on."""
    import srsly
    from spacy.vocab import Vocab

    from spacy_finegrained_ner.data.conll import read_conll
    from spacy_finegrained_ner.data.corpus import EMBEDDED
    from spacy_finegrained_ner.data.files import read_docs

    import_code(code)
    # A demonstration has seen no text that the embedded corpus does not hold
    embedded = {" ".join(s.words) for s in read_conll(EMBEDDED / "train.conll")}
    docs = read_docs(Vocab(), train)
    own = sum(" ".join(token.text for token in doc) not in embedded for doc in docs)
    try:
        found = srsly.read_json(model / "meta.json")
    except ValueError as error:  # of srsly, for a missing file too
        raise UserError(
            f"{error}\nExpected {model} to be the folder of a trained pipeline."
        ) from None
    scores = found.get("performance", {})
    # spaCy writes 0 for a score that is not there, as those of coarse types where labels are flat
    flat = scores.get("ents_coarse_per_type") == 0.0
    if flat:
        found["performance"] = {k: v for k, v in scores.items() if not k.startswith("ents_coarse")}
    found["description"] = DEMONSTRATION
    if own:
        found["description"] = (
            f"Fine-grained named-entity recognition, trained on {len(docs):,} texts."
            + ("" if flat else " Coarse types stand in ent._.coarse_label.")
        )
    found["name"] = name or found["name"]
    found["version"] = version or found["version"]
    if name or version:
        check_package_name(found["lang"], found["name"], found["version"])
    # From the scores and the description, `spacy package` makes the README of the package.
    output.parent.mkdir(parents=True, exist_ok=True)
    srsly.write_json(output, found)
    messages.good(f"{output}: {found['description']}")
