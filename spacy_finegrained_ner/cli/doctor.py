"""The verb `doctor`."""

from pathlib import Path
from typing import Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.options import Code, TaxonomyName, import_code
from spacy_finegrained_ner.errors import UserError


def doctor(
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Argument(help="Folder with train.*, valid.*, ... in any form; or one file.")
    ],
    config: Annotated[
        Path | None,
        typer.Option(help="The config of the run; none for the shipped default.cfg."),
    ] = None,
    taxonomy: TaxonomyName = None,
    lang: Annotated[
        str | None, typer.Option(help="Language code; none for that of the config.")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="Of the tags, as of convert. None: by the tags that occur.")
    ] = None,
    tag_column: Annotated[str | None, typer.Option(help="Of the tags, as of convert.")] = None,
    tag_names: Annotated[str | None, typer.Option(help="Of numbered tags, as of convert.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text files, as of convert.")] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Leave a finding of this name out; may be repeated.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for warnings, too.")
    ] = False,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Take no steps: no time and memory are told.")
    ] = False,
    cross_fit: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Train so many times, each on the other parts of train, and rank the gold labels "
            "that are most likely wrong.",
        ),
    ] = None,
    suspects: Annotated[Path, typer.Option(help="Where to write that list: .tsv or .json.")] = Path(
        "suspects.tsv"
    ),
    output: Annotated[Path | None, typer.Option(help="JSON file for the findings.")] = None,
    gpu_id: Annotated[int, typer.Option(help="-1 for the CPU.")] = -1,
    code: Code = None,
) -> None:
    """Look for what is wrong with data and config, before hours of training.

    Settings of the config are given as to spacy train: --paths.encoder assets/encoder. The exit
    code is 1 where there are errors (--strict: or warnings).
    """
    import srsly
    from spacy.cli._util import parse_config_overrides

    from spacy_finegrained_ner.annotate.loading import run_on
    from spacy_finegrained_ner.cli.configs import shipped
    from spacy_finegrained_ner.cli.findings import as_json, counted, print_findings, told
    from spacy_finegrained_ner.data.forms.record import Options
    from spacy_finegrained_ner.doctor.examine import examine
    from spacy_finegrained_ner.doctor.finding import GROUP_OF

    if unknown := [name for name in ignore or () if name not in GROUP_OF]:
        raise UserError(f"--ignore {unknown[0]}: there is no such finding. All: {[*GROUP_OF]}.")
    if cross_fit and suspects.suffix not in (".tsv", ".json"):
        raise UserError(f"--suspects {suspects}: expected a name that ends in .tsv or .json.")
    run_on(gpu_id, None)
    import_code(code)
    overrides = parse_config_overrides(list(ctx.args), env_var=None)
    names = tag_names.split(",") if tag_names else None
    done = examine(
        data,
        config or shipped()["default"],
        overrides=overrides,
        lang=lang,
        taxonomy=taxonomy,
        options=Options(scheme, tag_column, names, encoding),
        try_it=not no_probe,
        use_gpu=gpu_id,
        say=lambda what: messages.info(f"Looking at {what}"),
    )
    findings = [finding for finding in done.findings if finding.name not in (ignore or ())]
    ignored = [finding for finding in done.findings if finding.name in (ignore or ())]
    print_findings(findings, ignored)
    if done.estimate is not None:
        messages.info(told(done.estimate))
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        srsly.write_json(output, as_json(done, findings))
    severities = {finding.severity for finding in findings}
    failed = "error" in severities or (strict and "warning" in severities)
    if cross_fit:
        _cross_fit(done, cross_fit, suspects, gpu_id)
    if findings:
        say = messages.warn if "warning" in severities else messages.info
        (messages.fail if failed else say)(f"Found {counted(findings)}.")
    else:
        messages.good("Found nothing that is wrong.")
    if failed:
        raise typer.Exit(1)


def _cross_fit(done: object, folds: int, suspects: Path, gpu_id: int) -> None:
    from spacy_finegrained_ner.doctor.cross_fit import as_rows, cross_fit
    from spacy_finegrained_ner.doctor.examine import Diagnosis
    from spacy_finegrained_ner.doctor.suspects import write_suspects

    assert isinstance(done, Diagnosis)
    if done.run is None:
        raise UserError("--cross-fit needs a config that can be read: see config-error above.")
    kept = suspects.with_name(f"{suspects.name}.folds")
    found = cross_fit(done.run, done.data, folds, kept, use_gpu=gpu_id, say=messages.info)
    write_suspects(as_rows(found, done.data), suspects)
    messages.good(f"Wrote {suspects}: {len(found):,} labels, the most suspicious first.")
