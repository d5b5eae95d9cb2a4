"""What was asked, what it cost, and what went wrong: counted, and nothing of it lost."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

from spacy_finegrained_ner.baselines.llm.answers import Reply
from spacy_finegrained_ner.baselines.llm.settings import Budget, Prices


class Report:
    """Counts of a component in one process, since it was made; the budget is held against them.

    texts: that were annotated, failed ones among them. empty: without a letter, which are not
        sent. cached: answered without a request. requests: that were sent, retries among them.
    prompt_tokens, answer_tokens: as the server counts them. without_usage: answers for which it
        does not. seconds: in which there was somebody waiting.
    failed: texts without entities, by kind. dropped: mentions that were left out, by kind.
    recovered: answers with something around the JSON. respelled: mentions in other case.
    """

    _NUMBERS = (
        *("texts", "empty", "cached", "requests", "retries", "prompt_tokens", "answer_tokens"),
        *("without_usage", "recovered", "respelled"),
    )

    def __init__(self, prices: Prices) -> None:
        self.prices = prices
        self.numbers: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.seconds = 0.0
        self._lock = Lock()

    def __getattr__(self, name: str) -> int:
        if name in self._NUMBERS:
            return self.numbers[name]
        raise AttributeError(name)

    @property
    def cost(self) -> float | None:
        """In the currency of the prices; None where they are not known."""
        return self.prices.cost(self.prompt_tokens, self.answer_tokens)

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.answer_tokens

    def count(self, **numbers: int) -> None:
        with self._lock:
            self.numbers.update(numbers)

    def count_reply(self, reply: Reply) -> None:
        """The tokens of a reply that came from the server."""
        known = reply.prompt_tokens is not None and reply.answer_tokens is not None
        self.count(
            prompt_tokens=reply.prompt_tokens or 0,
            answer_tokens=reply.answer_tokens or 0,
            without_usage=int(not known),
        )

    def count_failed(self, kind: str) -> None:
        with self._lock:
            self.failed[kind] += 1

    def count_dropped(self, kinds: Counter[str]) -> None:
        with self._lock:
            self.dropped.update(kinds)

    def add_seconds(self, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds

    def exceeded(self, budget: Budget) -> str:
        """What of the budget is used up, in words; "" if nothing is."""
        for name, spent, most in (
            ("requests", self.requests, budget.requests),
            ("tokens", self.tokens, budget.tokens),
            ("cost", self.cost, budget.cost),
        ):
            if most is not None and (spent or 0) >= most:
                return f"{name}: {_number(spent or 0)} of {_number(most)}"
        return ""

    def as_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        with self._lock:
            return {
                **{name: self.numbers[name] for name in self._NUMBERS},
                "cost": self.cost,
                "seconds": round(self.seconds, 3),
                "failed": dict(self.failed),
                "dropped": dict(self.dropped),
            }

    def to_disk(self, path: str | Path) -> None:
        """Write it as JSON."""
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False)
        Path(path).write_text(text + "\n", encoding="utf-8")

    def __str__(self) -> str:
        parts = [
            f"{self.texts:,} texts",
            f"{self.requests:,} requests",
            f"{self.cached:,} from the cache",
            f"{self.prompt_tokens:,} + {self.answer_tokens:,} tokens",
        ]
        if self.cost is not None:
            parts.append(f"cost {self.cost:,.4f}")
        parts.append(f"{self.seconds:,.1f} s")
        for what, kinds in (
            ("without an answer", self.failed),
            ("mentions left out", self.dropped),
        ):
            if kinds:
                listed = ", ".join(f"{kind} {n:,}" for kind, n in kinds.most_common())
                parts.append(f"{kinds.total():,} {what} ({listed})")
        return ", ".join(parts)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Around a time in which somebody waits."""
        start = perf_counter()
        try:
            yield
        finally:
            self.add_seconds(perf_counter() - start)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"
