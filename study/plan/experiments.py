"""The experiments, by name."""

from __future__ import annotations

from study.plan.checks import BLENDING, DECAY, FEWNERD, OWN, SCHEDULING, WNUT
from study.plan.context import CONTEXT
from study.plan.corrections import CORRECTIONS
from study.plan.experiment import Experiment
from study.plan.names import NAMES, NAMES_LARGER
from study.plan.new_types import NEW_TYPES
from study.plan.teaching import TEACHING

EXPERIMENTS: dict[str, Experiment] = {
    one.name: one
    for one in (
        *(TEACHING, NEW_TYPES, CORRECTIONS, NAMES, NAMES_LARGER, CONTEXT),
        *(DECAY, SCHEDULING, BLENDING, FEWNERD, WNUT, OWN),
    )
}
