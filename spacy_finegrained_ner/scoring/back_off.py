"""Back-off: the fine label where it is sure enough, else the coarse type, else nothing. Which
thresholds, and what they are worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.scoring.judgements import Floats, Judgements

NEVER = 1.01
"""A threshold that no probability reaches."""

_STEPS = 200
"""How many thresholds of fine labels are tried."""


@dataclass(frozen=True)
class Thresholds:
    """The lowest probability with which a fine label, and a coarse type, is given."""

    fine: float
    coarse: float


def worth(found: Judgements, thresholds: Thresholds, credit: float) -> dict[str, Any]:
    """What the labels are worth that these thresholds give.

    credit: of a right coarse type, where a right fine label counts 1.
    RETURNS: how many are given `fine` and `coarse` and how many are left out (`none`); `precision`,
    the share of those given that are right, span and label (1 where none is given); `coverage`, of
    the predicted entities those given; `credit`, the sum over right labels, and `credit_per_gold`;
    of the coarse ones (`backed_off_right`) and of those whose span is right
    (`backed_off_right_of_spans`) the share that is right, None without any.
    """
    fine, coarse, span = found.right.T
    give_fine = found.probability[:, 0] >= thresholds.fine
    give_coarse = ~give_fine & (found.probability[:, 1] >= thresholds.coarse)
    given = int(give_fine.sum() + give_coarse.sum())
    fine_right, coarse_right = int(fine[give_fine].sum()), int(coarse[give_coarse].sum())
    total = fine_right + credit * coarse_right
    spans = int(span[give_coarse].sum())
    return {
        "fine": int(give_fine.sum()),
        "coarse": int(give_coarse.sum()),
        "none": len(fine) - given,
        "precision": (fine_right + coarse_right) / given if given else 1.0,
        "coverage": given / max(1, len(fine)),
        "credit": total,
        "credit_per_gold": total / max(1, int(found.gold.sum())),
        "backed_off_right": coarse_right / int(give_coarse.sum()) if give_coarse.any() else None,
        "backed_off_right_of_spans": coarse_right / spans if spans else None,
    }


def best_thresholds(
    found: Judgements, precision: float, credit: float, *, fine: bool = True, coarse: bool = True
) -> Thresholds:
    """The thresholds of the highest credit among those with at least this precision. Each lies
    halfway between what it takes and what it leaves out; 0 where it leaves out nothing.

    fine, coarse: whether such labels are given at all.
    Raises a UserError where nothing is found, or no thresholds give the precision.
    """
    if not len(found.sentence):
        raise UserError("Nothing is found on this data: there is nothing to tune.")
    p_fine, p_coarse = found.probability[:, 0], found.probability[:, 1]
    tried = np.unique(np.quantile(p_fine, np.linspace(0, 1, _STEPS), method="higher"))
    best: tuple[float, Thresholds] | None = None
    highest = 0.0
    for at in [*(tried.tolist() if fine else []), NEVER]:
        give = p_fine >= at
        right, given = int(found.right[give, 0].sum()), int(give.sum())
        # With more and more coarse types, the most probable first; cuts only between two values
        rest = np.flatnonzero(~give) if coarse else np.zeros(0, dtype=np.int64)
        rest = rest[np.argsort(-p_coarse[rest], kind="stable")]
        more = np.concatenate([[0], np.cumsum(found.right[rest, 1])])
        count = given + np.arange(len(more))
        value = p_coarse[rest]
        cut = np.concatenate([[True], value[1:] != value[:-1], [True]])[-len(more) :]
        share = np.where(count > 0, (right + more) / np.maximum(count, 1), 0.0)
        highest = max(highest, float(share[cut].max()))
        total = np.where(cut & (share >= precision), right + credit * more, -1.0)
        number = int(total.argmax())
        if total[number] > (0.0 if best is None else best[0]):
            of_fine = NEVER if at == NEVER else _between(p_fine[give], p_fine[~give])
            of_coarse = _between(value[:number], value[number:]) if coarse else NEVER
            best = float(total[number]), Thresholds(of_fine, of_coarse)
    if best is None:
        raise UserError(
            f"No thresholds give a precision of {precision:.2f} on this data: the highest is "
            f"{highest:.2f}. Ask for less."
        )
    return best[1]


def _between(given: Floats, left: Floats) -> float:
    """A threshold between the two."""
    if not len(left):
        return 0.0
    if not len(given):
        return NEVER
    low, high = float(left.max()), float(given.min())
    middle = (low + high) / 2
    return middle if low < middle else high


def compare(
    tuned: Judgements,
    checked: Judgements,
    precision: float,
    credit: float,
    samples: int = 1000,
    seed: int = 0,
    *,
    coarse: bool = True,
) -> dict[str, Any]:
    """Both levels against fine labels alone and coarse types alone, each with its best thresholds
    on `tuned`: what they are worth on `checked`, and how much more credit than each of the two,
    with a 95% interval (paired bootstrap over texts). On the texts that they were tuned on, where
    both can't be worse than one, there is no such comparison.

    coarse: whether there are coarse types at all (labels may be flat)."""
    ways = {"fine alone": _or_never(tuned, precision, credit, coarse=False)}
    if coarse:
        ways = {
            "both": best_thresholds(tuned, precision, credit),
            **ways,
            "coarse alone": _or_never(tuned, precision, credit, fine=False),
        }
    rng = np.random.default_rng(seed)
    drawn = [checked.drawn(rng) for _ in range(samples)]
    report: dict[str, Any] = {}
    for name, thresholds in ways.items():
        report[name] = {
            "thresholds": {"fine": thresholds.fine, "coarse": thresholds.coarse},
            **worth(checked, thresholds, credit),
        }
        if name == "both" or tuned is checked or not coarse:
            continue
        gains = [
            worth(d, ways["both"], credit)["credit_per_gold"]
            - worth(d, thresholds, credit)["credit_per_gold"]
            for d in drawn
        ]
        gain = report["both"]["credit_per_gold"] - report[name]["credit_per_gold"]
        report[name]["gain_of_both"] = {
            "credit_per_gold": gain,
            "interval": np.quantile(gains, [0.025, 0.975]).tolist(),
        }
    return report


def _or_never(found: Judgements, precision: float, credit: float, **levels: bool) -> Thresholds:
    try:
        return best_thresholds(found, precision, credit, **levels)
    except UserError:
        return Thresholds(NEVER, NEVER)
