"""Legal BIO from tags that need not be: CRFsuite learns which tag follows which, and forbids
nothing."""

from collections.abc import Sequence


def repair_bio(tags: Sequence[str]) -> list[str]:
    """The tags with `B-X` in place of each `I-X` that goes on with nothing, that is, which comes
    first or does not follow `B-X` or `I-X`: an entity begins there. Legal tags stay as they are.
    """
    repaired: list[str] = []
    before = "O"
    for tag in tags:
        if tag.startswith("I-") and before[2:] != tag[2:]:
            tag = "B-" + tag[2:]
        repaired.append(tag)
        before = tag
    return repaired
