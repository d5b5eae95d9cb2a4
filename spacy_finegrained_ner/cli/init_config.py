"""The verb `init-config`."""

from difflib import unified_diff
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import TaxonomyName
from spacy_finegrained_ner.errors import UserError


def init_config(
    output: Annotated[Path, typer.Argument(help="The config to write.")],
    base: Annotated[
        str | None,
        typer.Option(help="default, knowledge, paper, roberta, deberta, tok2vec, crf, llm."),
    ] = None,
    lang: Annotated[str | None, typer.Option(help="Language code; none for en.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Folder or name on the hub; none for that of the base.")
    ] = None,
    taxonomy: TaxonomyName = None,
    width: Annotated[
        int | None, typer.Option(min=0, help="Of a BiLSTM in the head; 0 for none.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option(help="A config of yours: put the component in place of its ner.")
    ] = None,
    beside: Annotated[bool, typer.Option("--beside", help="Keep the ner of that config.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a complete config, or put the component into one of yours and show the difference."""
    from spacy_finegrained_ner.cli.configs import complete
    from spacy_finegrained_ner.cli.put_in import put_in
    from spacy_finegrained_ner.labels.readers import named_taxonomy

    if output.exists() and not force:
        raise UserError(f"{output} is there already. To replace it, give --force.")
    if taxonomy is not None:
        named_taxonomy(taxonomy)  # may fail
    told: list[str] = []
    if into is None:
        if beside:
            raise UserError("--beside goes with --into: beside what is in that config.")
        text = complete(base or "default", lang or "en", encoder, taxonomy, width)
    else:
        for option, value in (("--base", base), ("--lang", lang), ("--encoder", encoder)):
            if value is not None:
                raise UserError(
                    f"{option} can't be given with --into: the component takes what is in {into}."
                )
        before, text, notes = put_in(into, taxonomy, width, beside=beside)
        names = str(into), str(output)
        lines = before.splitlines(), text.splitlines()
        told = [*unified_diff(*lines, *names, n=1, lineterm=""), "", *notes]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    for line in told:
        typer.echo(line)
    labels = "flat, each its own coarse type" if taxonomy is None else f"those of {taxonomy}"
    config = quote(str(output))
    then = (
        f"Set url and model, and assemble it with\npython -m spacy assemble {config} annotator"
        if base == "llm"
        else f"Train with\npython -m spacy train {config} --output training "
        "--paths.train train.spacy --paths.dev dev.spacy"
    )
    messages.good(f"Wrote {output}. Labels are {labels}. {then}")
