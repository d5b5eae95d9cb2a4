"""Names that a user has, as evidence: what they add."""

from __future__ import annotations

from dataclasses import replace

from study.plan.experiment import Compared, Experiment
from study.plan.teaching import ALL

NAMES = Experiment(
    "names",
    "Names as evidence",
    {
        "without": Compared("default config", (ALL,)),
        "with": Compared(
            "with names", (replace(ALL, pipeline="knowledge", settings={}, name="names"),)
        ),
    },
    [("with", "without")],
    sets=("valid", "dev"),
)
