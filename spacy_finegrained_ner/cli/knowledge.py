"""The verbs of `knowledge`: build a file of names, check it on gold data, look into it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spacy_finegrained_ner.cli import messages
from spacy_finegrained_ner.cli.fetch_names import fetch
from spacy_finegrained_ner.errors import UserError

if TYPE_CHECKING:
    from spacy_finegrained_ner.knowledge.build import Builder
    from spacy_finegrained_ner.knowledge.names import Names

app = typer.Typer(
    help="Names as evidence: fetch and build a file of them, check it on gold data, look into it.",
    no_args_is_help=True,
)

app.command("fetch")(fetch)

NamesFile = Annotated[Path, typer.Argument(help="A file that `knowledge build` has made.")]


@app.command("build")
def build(
    lists: Annotated[
        list[Path],
        typer.Argument(
            help="Lists of names: .tsv (name, topic, sources), .csv with a header, .jsonl (also "
            "patterns of spaCy), .txt with --topic; also .gz, .xz, .bz2."
        ),
    ],
    output: Annotated[Path, typer.Option(help="The file to write.")],
    topics: Annotated[
        Path | None, typer.Option(help="TOML: the types of each topic, the likeliest first.")
    ] = None,
    sources: Annotated[
        Path | None, typer.Option(help="TOML: license, name, url, attribution of each source.")
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Of the names of lists that say none, such as .txt.")
    ] = None,
    license: Annotated[
        list[str] | None,
        typer.Option(
            "--license",
            help="Take only sources with such a license; * stands for anything: 'CC0*'. May be "
            "repeated.",
        ),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Leave this source out. May be repeated.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="Of the lists.")] = "utf-8",
    case: Annotated[bool, typer.Option("--case", help="Upper and lower case matter.")] = False,
    punctuation: Annotated[
        bool, typer.Option("--punctuation", help="Punctuation matters.")
    ] = False,
    diacritics: Annotated[bool, typer.Option("--diacritics", help="Accents matter.")] = False,
    articles: Annotated[
        str, typer.Option(help="Words that a name may go without at its start; '' for none.")
    ] = "the a an",
) -> None:
    """Build a file of names from lists of them."""
    from spacy_finegrained_ner.knowledge.build import REASONS, Builder
    from spacy_finegrained_ner.knowledge.form import Form
    from spacy_finegrained_ner.knowledge.lists import SKIPPED, read_list, read_sources, read_topics

    try:
        "".encode(encoding)
    except LookupError:
        raise UserError(f"--encoding {encoding}: there is none of this name.") from None
    known = read_sources(sources) if sources else {}
    builder = Builder(
        Form(case, punctuation, diacritics, tuple(articles.split())),
        read_topics(topics) if topics else None,
        known,
        _allowed(known, license, without or []),
    )
    skipped: Counter[str] = Counter()
    seen: set[str] = set()
    for path in lists:
        own = [path.name.split(".")[0]]
        for entry in read_list(path, topic, encoding, skipped):
            seen.update(entry.sources or own)
            try:
                builder.add(entry.name, entry.topic, entry.sources or own)
            except ValueError as error:
                raise UserError(f"{path}: {error}") from None
    if absent := sorted(set(without or ()) - seen):
        messages.warn(
            f"--without {absent[0]}: no list has a source of this name: {_few(sorted(seen))}."
        )
    reasons = [(REASONS[key], number) for key, number in builder.left_out.items()]
    reasons += [(SKIPPED[key], number) for key, number in skipped.items()]
    for reason, number in reasons:
        messages.warn(f"Left out: {number:,} {reason}.")
    if builder.lines == sum(builder.left_out.values()):
        raise UserError(f"There are no names in {', '.join(map(str, lists))}.")
    names = builder.write(output)
    _say_topics(builder, topics)
    if unknown := [one["id"] for one in names.sources if not one.get("license")]:
        messages.warn(
            f"No license is known of {len(unknown)} of {len(names.sources)} sources "
            f"({_few(unknown)}): --sources says it, and the card of a package then does."
        )
    messages.good(
        f"{output}: {len(names):,} names, {len(names.topics):,} topics, {len(names.sources):,} "
        f"sources, {output.stat().st_size / 1e6:.1f} MB"
    )


def _allowed(
    known: dict[str, dict[str, str]], licenses: list[str] | None, without: list[str]
) -> Callable[[str], bool]:
    from fnmatch import fnmatchcase

    def allowed(source: str) -> bool:
        found = known.get(source, {}).get("license", "").casefold()
        fits = not licenses or any(fnmatchcase(found, pattern.casefold()) for pattern in licenses)
        return fits and source not in without

    return allowed


def _say_topics(builder: "Builder", topics: Path | None) -> None:
    if topics and (untyped := builder.untyped):
        messages.warn(
            f"{topics} has not the topics {_few(untyped)}: each is evidence under its own name, "
            "and a type only if one is called so."
        )


def _open(file: Path) -> "Names":
    from spacy_finegrained_ner.knowledge.names import Names

    try:
        return Names.open(file)
    except ValueError as error:
        raise UserError(str(error)) from None


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} others" if len(names) > 5 else "")


@app.command("check")
def check(
    file: NamesFile,
    data: Annotated[Path, typer.Argument(help="Gold data, in any form.")],
    output: Annotated[Path | None, typer.Option(help="JSON file for all rows.")] = None,
    rows: Annotated[int, typer.Option(min=1, help="How many to print of each table.")] = 25,
) -> None:
    """Say what the names are worth on gold data: how many are entities there, and of the type that
    the file says. A topic or a source that is hardly ever right is better left out, or has other
    types."""
    import spacy
    import srsly

    from spacy_finegrained_ner.cli.tables import print_names
    from spacy_finegrained_ner.data.files import read_gold
    from spacy_finegrained_ner.knowledge.live import LiveNames
    from spacy_finegrained_ner.scoring.names import names_report

    found = names_report(LiveNames(_open(file)), read_gold(spacy.blank("xx"), data))
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        srsly.write_json(output, found)
    print_names(found, rows)
    messages.good(
        f"{found['listed']:,} of {found['entities']:,} entities of {data} are in {file}, with "
        "exactly their bounds"
    )


@app.command("show")
def show(
    file: NamesFile,
    names: Annotated[list[str] | None, typer.Argument(help="Names to look up.")] = None,
) -> None:
    """Say what a file of names holds (topics, sources, licenses), or what it says of some."""
    known = _open(file)
    if names:
        for name in names:
            numbers = [i for i in known.ids(known.form.keys(name)) if i >= 0]
            for number in numbers[:1]:
                facts = known.described(number)
                typer.echo(f"{name}: " + "; ".join(f"{k} {', '.join(v)}" for k, v in facts.items()))
            if not numbers:
                typer.echo(f"{name}: not in {file}")
        return
    typer.echo(f"{len(known):,} names, {len(known.topics):,} topics; {known.form}")
    for topic, count in known.by_topic():
        types = known.types[known.topics.index(topic)]
        typer.echo(f"  {topic}: {count:,} ({', '.join(types) or 'no type'})")
    typer.echo(f"{len(known.sources):,} sources")
    licenses = {one["id"]: one.get("license", "") for one in known.sources}
    for source, count in known.by_source():
        license_ = licenses[source] or "license not known"
        typer.echo(f"  {source}: {count:,} ({license_})")
