"""What can go wrong between a text and its entities."""

from spacy_finegrained_ner.errors import UserError

REFUSAL = "refusal"
EMPTY = "empty"
CUT = "cut off"
NOT_JSON = "not JSON"
WRONG_FORM = "JSON of another form"
AMBIGUOUS = "several answers"
"""Kinds of answers that give no entities."""

UNKNOWN_LABEL = "label outside the taxonomy"
NOT_IN_TEXT = "mention not in the text"
OFF_TOKENS = "mention off token boundaries"
OVERLAP = "overlaps another mention"
"""Kinds of mentions that are left out; the others of the answer stay."""

TIMEOUT = "time-out"
NO_CONNECTION = "no connection"
CUT_CONNECTION = "connection cut"
REDIRECT = "redirect"
NO_COMPLETION = "no chat completion"
"""Kinds of requests without an answer; others are HTTP and the status."""


class NoAnswer(Exception):
    """A text gets no entities, and the others go on.

    kind: one of the above. retry: whether asking again may help. retry_after: seconds, where the
    server has said so.
    """

    def __init__(
        self, kind: str, told: str = "", *, retry: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{kind}: {told}" if told else kind)
        self.kind = kind
        self.retry = retry
        self.retry_after = retry_after


class CannotGoOn(UserError):
    """All stops: the same would happen with each text. What was answered is in the cache."""


class BudgetReached(CannotGoOn):
    """The budget does not allow another request."""


class Closed(CannotGoOn):
    """Nobody waits for the answer any more."""
