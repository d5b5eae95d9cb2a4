"""What the doctor found, as a table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from spacy_finegrained_ner.doctor.examine import Diagnosis
from spacy_finegrained_ner.doctor.finding import SEVERITIES, Finding
from spacy_finegrained_ner.doctor.probe import Estimate

SHOWN = 3
"""Places of a finding in the table; all are in the JSON."""
_STYLES = {"error": "red", "warning": "yellow", "note": "cyan"}


def print_findings(findings: Sequence[Finding], ignored: Sequence[Finding]) -> None:
    """Worst first; a section for each severity."""
    # Labels and texts are anybody's: `[b]` and `:x:` in them are no markup
    console = Console(markup=False, emoji=False)
    if findings:
        columns = (
            Column("what", no_wrap=True),
            Column("found", overflow="fold", ratio=3),
            Column("what to do", overflow="fold", ratio=2),
        )
        table = Table(*columns, expand=True, title="What the doctor found")
        for i, finding in enumerate(findings):
            where = [*finding.where[:SHOWN]]
            if len(finding.where) > SHOWN:
                where.append(f"and {len(finding.where) - SHOWN:,} more")
            found = "\n".join((finding.what, *(f"  {place}" for place in where)))
            ends = i + 1 == len(findings) or findings[i + 1].severity != finding.severity
            table.add_row(
                f"{finding.severity}\n{finding.name}",
                found,
                finding.do,
                style=_STYLES[finding.severity] if finding.severity == "error" else None,
                end_section=ends,
            )
        console.print(table)
    if ignored:
        console.print(f"Ignored: {', '.join(sorted({finding.name for finding in ignored}))}")


def counted(findings: Sequence[Finding]) -> str:
    """`1 error, 2 warnings and 3 notes`."""
    counts = Counter(finding.severity for finding in findings)
    parts = [
        f"{counts[severity]} {severity}{'s' * (counts[severity] != 1)}"
        for severity in SEVERITIES
        if counts[severity]
    ]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def told(estimate: Estimate) -> str:
    """What the run will take, by the steps that were tried."""
    peak = "" if estimate.peak is None else f", and {estimate.peak:,.0f} MiB so far in all"
    text = (
        f"{estimate.parameters:,} parameters learn: {estimate.weights:,.0f} MiB with gradients and "
        f"moments{peak}. A step takes {estimate.step:.2f} s, an evaluation "
        f"{_time(estimate.evaluation)}"
    )
    if estimate.seconds is None:
        return f"{text}; the run has no known end."
    return f"{text}: {estimate.steps:,} steps take about {_time(estimate.seconds)} on this machine."


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def as_json(done: Diagnosis, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "findings": [
            {
                "name": finding.name,
                "group": finding.group,
                "severity": finding.severity,
                "what": finding.what,
                "do": finding.do,
                "where": list(finding.where),
            }
            for finding in findings
        ],
        "parts": {part: len(texts.docs) for part, texts in done.data.parts.items()},
        "estimate": None if done.estimate is None else done.estimate.as_dict(),
    }
