"""One page over the paper's checks: what it says, what was measured, and whether the two agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from spacy_finegrained_ner.pages.document import plain, to_html
from spacy_finegrained_ner.pages.intervals import percent, points
from study.analysis.analysis import DRAWS, compare
from study.analysis.rows import Arms, Effect
from study.analysis.scores import score_groups, score_sentences
from study.page.experiment import records_of
from study.page.tables import starred
from study.page.titles import set_title
from study.plan.arms import COMPARISONS
from study.plan.claims import BEST, CLAIMS, STUDY, Claim
from study.plan.experiments import EXPERIMENTS
from study.plan.stages import StudyError
from study.runs.records import best_rate, first_f1, read_records

NAME = "checks"
HOW = (
    "Differences are points of F1: macro F1, or micro F1 where only some sentences count. F1 is "
    "strict: an entity counts if its span and its fine type are exactly those of the gold. "
    "Intervals are 95%, of a paired bootstrap over sentences and seeds, and not corrected for the "
    "number of rows; a star is for a difference that is told from 0 after Holm's correction over "
    "the comparisons of its own page. The two agree (*yes*) if all of the interval is what the "
    "paper says, and do not (*no*) if nothing of it is; else it is *undecided*. It is that of the "
    "dev part where that was scored, by which nothing was chosen. What is best was chosen with the "
    "first seed on the validation part, and so is better there than it should be, by about half a "
    "point where no arm is. *Runs* are those of the one arm, and of the other."
)
NOT_RUN = "not run yet"


@dataclass(frozen=True)
class Check:
    """What the records of an experiment say, by set. f1: macro F1 of the arms of which the best one
    is taken, none while one of them has not run. titles: of the arms."""

    arms: dict[str, Arms]
    sentences: dict[str, Arms]
    f1: dict[str, float]
    titles: dict[str, str]

    def pair(self, claim: Claim) -> tuple[str, str]:
        """The arms of a claim, with the best one by its name."""
        first, second = claim.arms
        if first == BEST:
            others = {name: f1 for name, f1 in self.f1.items() if name != second}
            first = max(others, key=others.__getitem__, default=BEST)
        return first, second


def write_checks(folder: Path, draws: int = DRAWS) -> Path:
    """Write checks/README.md and checks/page.html. The same records give the same bytes.

    folder: that of the folders of records, which have the names of their experiments; the text of
    checks/conclusions.md in it, if there is one, comes right after the title.
    RETURNS: the path of the HTML.
    Raises a StudyError where there are no records of any check, or one can't be read.
    """
    names = dict.fromkeys(claim.experiment for claim in CLAIMS)
    found = {name: one for name in names if (one := _found(folder / name, name, draws))}
    if not found:
        raise StudyError(
            f"{folder}: there are no records of the checks. Expected a folder for each, such as "
            f"{folder / 'decay'}, as `python -m study experiment decay` writes it."
        )
    output = folder / NAME
    output.mkdir(exist_ok=True)
    conclusions = output / "conclusions.md"
    parts = [
        "# The paper's claims, checked",
        conclusions.read_text(encoding="utf-8") if conclusions.exists() else "",
        "\n".join(_table(found)),
        HOW,
    ]
    markdown = "\n\n".join(part.strip("\n") for part in parts if part) + "\n"
    (output / "README.md").write_text(markdown, encoding="utf-8")
    html = output / "page.html"
    of_study = markdown.replace(f"](../{STUDY}/README.md)", f"](../{STUDY}/study.html)")
    html.write_text(to_html(of_study.replace("/README.md)", "/page.html)")), encoding="utf-8")
    return html


def _found(folder: Path, name: str, draws: int) -> Check | None:
    """None where there are no records."""
    whole = partial(score_groups, groups={})
    if name == STUDY:
        every = read_records(folder)
        some = [r for r in every if r.run.stage == "arms" and r.rate == best_rate(every, r.run.arm)]
        if not some:
            return None
        return Check(compare(some, folder, draws, COMPARISONS, whole), {}, {}, {})
    experiment = EXPERIMENTS[name]
    some = records_of(experiment, folder)
    if not some:
        return None
    f1 = first_f1(some, experiment)
    titles = {arm: one.title for arm, one in experiment.arms.items()}
    sentences = {}
    if experiment.by_sentence:
        chosen = [r for r in some if r.run.arm in experiment.chosen(f1)]
        pairs = experiment.comparisons
        sentences = compare(chosen, folder, draws, pairs, score_sentences)
    arms = compare(some, folder, draws, experiment.comparisons, whole)
    return Check(arms, sentences, experiment.candidates(f1), titles)


def _table(found: dict[str, Check]) -> Iterator[str]:
    sets = ("valid", "dev")
    head = ["technique", "the paper", *(set_title(name) for name in sets), "agree", "runs"]
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join(['---', '---', *['--:'] * len(sets), '---', '---'])} |"
    for claim in CLAIMS:
        one = found.get(claim.experiment)
        yield f"| {' | '.join(_row(claim, one, sets))} |"


def _row(claim: Claim, found: Check | None, sets: tuple[str, ...]) -> Iterator[str]:
    if found is None:
        yield from (plain(claim.technique), plain(claim.says), NOT_RUN, *[""] * (len(sets) + 1))
        return
    pair = found.pair(claim)
    best = f": {found.titles.get(pair[0], NOT_RUN)}" * (BEST in claim.arms)
    yield from (plain(claim.technique + best), plain(claim.says))
    arms = found.arms if claim.part == "all" else found.sentences
    measured = [_measured(claim, pair, arms.get(name)) for name in sets]
    yield from (plain(cell) for cell, _ in measured)
    told = [effect for _, effect in measured if effect]
    run = any(cell not in ("", NOT_RUN) for cell, _ in measured)
    yield agreement(claim, told[-1]) if told else "no interval" * run
    counts = [runs for name in sets if (runs := _runs(pair, found.arms.get(name)))]
    yield f"[{counts[0] if counts else 'page'}](../{claim.experiment}/README.md)"


def _runs(pair: tuple[str, str], arms: Arms | None) -> str:
    """As "3 and 2": of the one arm, and of the other."""
    found = {row.arm: len(row.runs) for row in arms.means} if arms else {}
    return f"{found[pair[0]]} and {found[pair[1]]}" if {*pair} <= found.keys() else ""


def _measured(claim: Claim, pair: tuple[str, str], arms: Arms | None) -> tuple[str, Effect | None]:
    """What is shown, and the difference with its interval, if there are runs enough for one."""
    if arms is None:
        return "", None
    effects = [
        row
        for row in arms.comparisons
        if (row.level, row.against) == pair
        and row.metric == claim.metric
        and claim.part in (row.part.kind, row.part.value)
    ]
    if effects:
        return starred(effects[0]), effects[0]
    if not {*pair} <= {row.arm for row in arms.means}:
        return NOT_RUN, None
    f1 = {
        row.arm: row.value
        for row in arms.means
        if row.metric == claim.metric and claim.part in (row.part.kind, row.part.value)
    }
    if not f1:
        return "no such sentences", None
    less = f1[pair[0]] - f1[pair[1]]
    return f"{'+' * (points(less) > 0)}{percent(less)}, single runs", None


def agreement(claim: Claim, effect: Effect) -> str:
    """Whether the interval, as it is printed, is what the paper says."""
    if claim.expected is None:
        return "left open"
    low, high = (points(end) for end in claim.expected)
    if points(effect.low) > high or points(effect.high) < low:
        return "no"
    inside = low <= points(effect.low) and points(effect.high) <= high
    return "yes" if inside and not (low == 0 == points(effect.low)) else "undecided"
