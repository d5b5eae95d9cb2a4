"""A stream of Docs through the engine: read ahead, asked in parallel, answered in its order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from spacy import util
from spacy.tokens import Doc

from spacy_finegrained_ner.baselines.llm.answers import Reply, read_answer
from spacy_finegrained_ner.baselines.llm.engine import Body, Engine, Run
from spacy_finegrained_ner.baselines.llm.failures import NoAnswer
from spacy_finegrained_ner.baselines.llm.mentions import align
from spacy_finegrained_ner.baselines.llm.prompt import shown
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy

Bodies = Callable[[Sequence[Doc]], list[Body]]
"""From Docs to the requests for them."""


@dataclass(frozen=True)
class Unanswered(Prediction):
    """Of a text whose answer failed: nothing is known of it. kind: see `failures`."""

    kind: str = ""


def predictions(
    engine: Engine, bodies: Bodies, taxonomy: Taxonomy, stream: Iterable[Doc], size: int
) -> Generator[tuple[Doc, Prediction], None, None]:
    """Each Doc with its prediction. At most two times `size` are read ahead, or as many as the
    engine asks in parallel.

    Raises `CannotGoOn` in place of the first Doc that can't be asked about.
    """
    size = max(size, engine.limits.parallel)
    waiting: deque[tuple[Doc, Future[Reply] | None]] = deque()
    with engine.run() as run:
        for batch in util.minibatch(stream, size):
            waiting.extend(_ask(engine, run, bodies, list(batch)))
            while len(waiting) > size:
                doc, future = waiting.popleft()
                yield doc, _answered(engine, taxonomy, doc, future)
        while waiting:
            doc, future = waiting.popleft()
            yield doc, _answered(engine, taxonomy, doc, future)


def _ask(
    engine: Engine, run: Run, bodies: Bodies, docs: list[Doc]
) -> list[tuple[Doc, "Future[Reply] | None"]]:
    # Without a letter there is nothing to find, and nothing is sent
    sent = [doc for doc in docs if shown(doc)]
    requests = bodies(sent)
    if requests and not engine.told:
        _tell(engine, requests[0]["model"], run.not_cached(requests), len(docs))
    futures = iter([run.submit(body) for body in requests])
    return [(doc, next(futures) if shown(doc) else None) for doc in docs]


def _tell(engine: Engine, model: str, leaving: int, read: int) -> None:
    """Before the first request: what leaves, and where it goes."""
    if not leaving or not engine.first_to_tell():
        return
    kept = "in memory" if engine.cache is None else f"in the folder {engine.cache}"
    clear = "; texts and key, if there is one, go UNENCRYPTED (http)"
    util.logger.warning(
        "'%s': %s of the first %s texts go to %s (model %s), and of those that follow all that are "
        "not in the cache; answers are kept %s%s. This is said once, and the report has how many "
        "requests it were.",
        *(engine.owner, f"{leaving:,}", f"{read:,}", engine.endpoint.host, model, kept),
        clear if engine.endpoint.clear else "",
    )


def _answered(
    engine: Engine, taxonomy: Taxonomy, doc: Doc, future: "Future[Reply] | None"
) -> Prediction:
    report = engine.report
    if future is None:
        report.count(texts=1, empty=1)
        return Prediction()
    try:
        with report.clock():
            reply = future.result()
        answer = read_answer(reply)
    except NoAnswer as failure:
        report.count(texts=1)
        report.count_failed(failure.kind)
        util.logger.debug("'%s': %s for the text %r", engine.owner, failure, doc.text[:60])
        return Unanswered(kind=failure.kind)
    aligned = align(doc, answer.mentions, taxonomy.spelled)
    report.count(texts=1, recovered=int(answer.recovered), respelled=aligned.respelled)
    report.count_dropped(aligned.dropped)
    return Prediction(aligned.entities)
