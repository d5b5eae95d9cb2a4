"""What a component knows beside the text: names as evidence (`[model.knowledge]`), if any."""

import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import srsly
from spacy import util
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Model

from spacy_finegrained_ner.contracts import UNKNOWN
from spacy_finegrained_ner.data.gold import hard_gold_of
from spacy_finegrained_ner.knowledge.build import write_pieces
from spacy_finegrained_ner.knowledge.common import Counts, Gold
from spacy_finegrained_ner.knowledge.evidence import Vocabulary
from spacy_finegrained_ner.knowledge.found import OF_FILE
from spacy_finegrained_ner.knowledge.live import LiveNames
from spacy_finegrained_ner.knowledge.names import Names
from spacy_finegrained_ner.labels.bio import Entity, TagSet
from spacy_finegrained_ner.labels.confidence import EVIDENCE
from spacy_finegrained_ner.labels.prediction import Prediction
from spacy_finegrained_ner.labels.taxonomy import Taxonomy
from spacy_finegrained_ner.ml.knowledge import (
    Knowledge,
    Seen,
    gold_is,
    knowledge_of,
    seen_in_prediction,
)

_MET = 5
"""Times that a topic has to be met in training, for a row of its own."""
_BATCH = 256
_FOLDER, _FILE, _STATE = "knowledge", "names", "state"


class Knowing:
    """Stands before spaCy's class in the bases of a component, which sets these attributes."""

    name: str
    model: Model[Any, Any]
    cfg: dict[str, Any]
    _tag_set: TagSet
    _taxonomy: Taxonomy

    @property
    def knowledge(self) -> LiveNames:
        """The names of the component: `add` and `remove` change what is found from now on.

        Raises a ValueError where it has none.
        """
        known = self._known
        if known is None or known.names is None:
            why = "is not initialized" if known else "was not trained with names"
            raise ValueError(
                f"'{self.name}' {why}: there is no knowledge. Names are a block of the config, "
                f"[components.{self.name}.model.knowledge], and of the training."
            )
        return known.names

    @property
    def has_knowledge(self) -> bool:
        return self._known is not None and self._known.names is not None

    @property
    def knowledge_inside(self) -> bool:
        """Whether the names are saved with the component."""
        return self._known is not None and self._known.inside

    @property
    def _known(self) -> Knowledge | None:
        return knowledge_of(self.model)

    def _learn_names(self, get_examples: Callable[[], Iterable[Example]]) -> None:
        """When initialized: open the file, and count which of its names are words."""
        known = self._known
        if known is None:
            return
        if known.path is not None:
            known.names = LiveNames(_open(known.path, self.name))
        elif known.names is None:
            raise ValueError(
                f"'{self.name}' is to know names, but is not told which: set path in "
                f"[components.{self.name}.model.knowledge] (--paths.knowledge) to a file that "
                "python -m spacy finegrained-ner knowledge build has made."
            )
        names = known.names
        counts = Counts(names.file, known.common)
        topics: Counter[int] = Counter()
        met = 0
        examples = iter(get_examples())
        while batch := list(islice(examples, _BATCH)):
            found = names.find([eg.predicted for eg in batch], training=True)
            found = found.only(found.part == OF_FILE)  # initialized again, it may have others
            counts.add(found, self._gold_of_names(batch))
            _, rows = names.file.entries(found.number)
            topics.update(names.file.topic_of[rows].tolist())
            met += len(found)
        known.counts, known.rng = counts, None
        common = counts.common()
        names.common = [names.file.key(number) for number in common.tolist()]
        known.vocabulary = Vocabulary(
            self.cfg["labels"],
            [topic for i, topic in enumerate(names.file.topics) if topics[i] >= _MET],
        )
        self._tell_names(met, len(common))

    def _tell_names(self, met: int, common: int) -> None:
        file = self.knowledge.file
        spelled = {label.casefold() for label in self.cfg["labels"]}
        typed = sum(any(one.casefold() in spelled for one in types) for types in file.types)
        util.logger.info(
            "'%s' knows %s names of %s topics, of which %s have a type of the training data; met "
            "%s times there; %s are words rather than names",
            self.name,
            *(f"{number:,}" for number in (len(file), len(file.topics), typed, met, common)),
        )
        if not met or not typed:
            what = "none of its names is met there" if not met else "no topic has one of its types"
            warnings.warn(
                f"The names of '{self.name}' tell nothing about the training data: {what}. Its "
                f"types are {self.cfg['labels'][:5]} ..., the file says {file.types[:3]} ...: see "
                "--topics of knowledge build.",
                stacklevel=2,
            )

    def _gold_of_names(self, examples: Sequence[Example]) -> list[Gold]:
        found = []
        for example in examples:
            # Soft targets say of no token for certain that it is no entity
            tags = hard_gold_of(example, self._tag_set, self._taxonomy).tags
            begins = np.flatnonzero((tags > 0) & (tags % 2 == 1)).tolist()
            spans = []
            for start in begins:
                end = start + 1
                while end < len(tags) and tags[end] == tags[start] + 1:
                    end += 1
                spans.append((start, end))
            found.append(Gold(example.reference.text, spans, tags != UNKNOWN))
        return found

    @contextmanager
    def _telling_gold(self, examples: Sequence[Example]) -> Iterator[None]:
        """Around a pass in training."""
        known = self._known
        counted = known is not None and known.counts is not None
        with gold_is(self._gold_of_names(examples)) if counted else nullcontext():
            yield

    @contextmanager
    def _remembering(self) -> Iterator[Seen]:
        """Around a prediction: what it found."""
        if self._known is None:
            yield []
        else:
            with seen_in_prediction() as seen:
                yield seen

    def _with_evidence(
        self, seen: Seen, docs: Sequence[Doc], predictions: list[Prediction]
    ) -> list[Prediction]:
        """Each entity is told the names that were found in it, or that overlap with it.

        seen: of the Docs that have tokens, in chunks. predictions: of each Doc."""
        spelled = self._tag_set.spelled
        told: list[dict[Entity, list[Any]]] = [{e: [] for e in p.entities} for p in predictions]
        # From left to right, as entities don't overlap
        ordered = [sorted(some) for some in told]
        full = iter([i for i, doc in enumerate(docs) if len(doc)])
        for now, found, texts in seen:
            which = list(islice(full, texts))
            rows = np.stack([found.text, found.start, found.end, found.part, found.number], axis=1)
            for text, start, end, part, number in rows.tolist():
                entities = ordered[which[text]]
                at = bisect_right(entities, start, key=itemgetter(1))
                while at < len(entities) and (entity := entities[at])[0] < end:
                    facts = now.described(part, number)
                    facts["types"] = [x for x in map(spelled, facts["types"]) if x]
                    place = {"start": start - entity[0], "end": end - entity[0]}
                    told[which[text]][entity].append({**place, **facts})
                    at += 1
        if not seen:
            return predictions
        return [
            replace(one, facts={e: {**one.facts.get(e, {}), EVIDENCE: some[e]} for e in some})
            for one, some in zip(predictions, told, strict=True)
        ]

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The component; with names, what `to_disk` writes of them."""
        whole: bytes = super().to_bytes(exclude=exclude)  # type: ignore[misc]
        if not self.has_knowledge or _FOLDER in exclude:
            return whole
        parts = {"component": whole, _STATE: self._names_state()}
        if self.knowledge_inside:
            parts[_FILE] = self.knowledge.file.to_bytes()
        return srsly.msgpack_dumps({_FOLDER: parts})

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> Any:
        if self._known is None:
            return super().from_bytes(data, exclude=exclude)  # type: ignore[misc]
        parts = srsly.msgpack_loads(data).get(_FOLDER)
        super().from_bytes(parts["component"] if parts else data, exclude=exclude)  # type: ignore[misc]
        if parts:
            file = parts.get(_FILE)
            self._load_names(parts[_STATE], file and Names(file, "a saved pipeline"))
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Into a folder; names into `knowledge` in it, where `inside` says so."""
        super().to_disk(path, exclude=exclude)  # type: ignore[misc]
        if not self.has_knowledge or _FOLDER in exclude:
            return
        folder = Path(path) / _FOLDER
        folder.mkdir(exist_ok=True)
        srsly.write_msgpack(folder / _STATE, self._names_state())
        target, file = folder / _FILE, self.knowledge.file
        if not self.knowledge_inside:
            target.unlink(missing_ok=True)
            self._tell_other_file()
        elif not (file.path and target.exists() and target.samefile(file.path)):
            write_pieces(target, [file.to_bytes()])

    def _tell_other_file(self) -> None:
        """Where others are in use than those that the saved config names (`knowledge.use`)."""
        known, file = self._known, self.knowledge.file
        assert known is not None
        named = known.path and Path(known.path)
        if named and file.path and named.resolve() == file.path.resolve():
            return
        warnings.warn(
            f"'{self.name}' is saved without its names (inside = false). It uses those of "
            f"{file.path or 'no file'}, but its config says {known.path}, and so it will read them "
            f"from there. Say spacy.load(..., config={_path_of(self.name)}), or save with "
            "inside = true.",
            stacklevel=3,
        )

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Any:
        super().from_disk(path, exclude=exclude)  # type: ignore[misc]
        folder = Path(path) / _FOLDER
        if self._known is not None and _FOLDER not in exclude and (folder / _STATE).is_file():
            file = folder / _FILE
            names = _open(file, self.name) if file.is_file() else None
            self._load_names(srsly.read_msgpack(folder / _STATE), names)
        return self

    def _names_state(self) -> dict[str, Any]:
        known = self._known
        assert known is not None
        assert known.names is not None
        assert known.vocabulary is not None
        rows = {"types": known.vocabulary.types, "topics": known.vocabulary.topics}
        return {**rows, "changes": known.names.changes()}

    def _load_names(self, state: dict[str, Any], file: Names | None) -> None:
        known = self._known
        assert known is not None
        if file is None:
            if known.path is None:
                raise ValueError(_missing(self.name, "no file at all"))
            file = _open(known.path, self.name)
        known.names = LiveNames(file)
        known.names.change(state["changes"])
        known.vocabulary = Vocabulary(state["types"], state["topics"])
        known.counts = None


def _open(path: str | Path, owner: str) -> Names:
    if not Path(path).is_file():
        raise ValueError(_missing(owner, str(path)))
    return Names.open(path)


def _missing(owner: str, path: str) -> str:
    return (
        f"'{owner}' reads names from {path}, which is not there. Say where they are: "
        "--paths.knowledge in training; of a pipeline that was saved without them (inside = "
        f"false) spacy.load(..., config={_path_of(owner)})."
    )


def _path_of(owner: str) -> str:
    return f"{{'components': {{'{owner}': {{'model': {{'knowledge': {{'path': ...}}}}}}}}}}"
