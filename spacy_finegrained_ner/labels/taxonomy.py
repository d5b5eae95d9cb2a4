"""The taxonomy: which coarse type each fine type belongs to."""

import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

from spacy_finegrained_ner.errors import UserError
from spacy_finegrained_ner.labels.invisible import invisible

MULTICONER2 = Path(__file__).with_name("multiconer2.toml")
PACKAGED = {"multiconer2": MULTICONER2}
"""Taxonomies that come with the package, by name."""

MAX_SIZE = 1_000_000
"""Bytes. A larger file is no taxonomy."""


class TaxonomyError(UserError):
    """A taxonomy is malformed, or does not cover the labels of the data."""


class Taxonomy:
    """A frozen map from fine to coarse types.

    coarse_of: the coarse type of each fine type. The order is kept.
    source: where it was read from, for error messages.
    definitions: of fine types, where there are any; what a language model is told of them.

    Labels are looked up without regard to case; two fine types that differ in case only are
    refused with a `TaxonomyError`, as are empty names and whitespace at either end of a name.
    """

    # No dataclass: spaCy dumps those to dicts on their way to a component's `initialize`.
    __slots__ = ("_folded", "coarse_of", "definitions", "source")

    def __init__(
        self,
        coarse_of: Mapping[str, str],
        source: str = "<taxonomy>",
        definitions: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.coarse_of: Mapping[str, str] = MappingProxyType(dict(coarse_of))
        self.definitions: Mapping[str, str] = MappingProxyType(dict(definitions))
        self.source = source
        self._folded: dict[str, str] = {}
        if not coarse_of:
            raise TaxonomyError(f"{source}: the taxonomy has no types.")
        for fine, coarse in coarse_of.items():
            for name in (fine, coarse):
                if not isinstance(name, str) or not name or name != name.strip():
                    raise TaxonomyError(
                        f"{source}: {name!r} is not the name of a type. Expected a string that "
                        "is not empty and has no spaces at its ends."
                    )
            if fine.casefold() in self._folded:
                raise TaxonomyError(
                    f"{source}: the fine type {fine!r} stands twice (also as "
                    f"{self._folded[fine.casefold()]!r}; labels are matched without regard to "
                    "case). Each fine type belongs to one coarse type."
                )
            self._folded[fine.casefold()] = fine
        for name in self.coarse:
            under = self.coarse_of.get(self._folded.get(name.casefold(), ""), name)
            if under != name:
                raise TaxonomyError(
                    f"{source}: {name!r} is a coarse type and also stands as a fine type under "
                    f"{under!r}. A taxonomy has two levels."
                )

    def __reduce__(self) -> tuple[type["Taxonomy"], tuple[dict[str, str], str, dict[str, str]]]:
        return Taxonomy, (dict(self.coarse_of), self.source, dict(self.definitions))

    def __eq__(self, other: object) -> bool:
        """Of the types; definitions may differ."""
        return isinstance(other, Taxonomy) and list(self.coarse_of.items()) == list(
            other.coarse_of.items()
        )

    @property
    def fine(self) -> tuple[str, ...]:
        """The fine types, in the order of the taxonomy."""
        return tuple(self.coarse_of)

    @property
    def coarse(self) -> tuple[str, ...]:
        """The coarse types, each once, in the order of the taxonomy."""
        return tuple(dict.fromkeys(self.coarse_of.values()))

    @property
    def flat(self) -> bool:
        """Whether each type is its own coarse type: then coarse types say nothing new."""
        return all(f.casefold() == c.casefold() for f, c in self.coarse_of.items())

    def spelled(self, label: str) -> str | None:
        """The fine type as it is spelled here; None for one that is not here in any case."""
        return self._folded.get(label.casefold())

    def fine_label(self, label: str) -> str:
        """The same, or a `TaxonomyError` that names the label."""
        self.check([label])
        return self._folded[label.casefold()]

    def gold_label(self, label: str) -> str:
        """The same; but of flat labels, which are those that the training data had, gold may have
        others: they stay as they are."""
        return self.spelled(label) or (label if self.flat else self.fine_label(label))

    def check(self, labels: Iterable[str] | Mapping[str, str]) -> None:
        """A `TaxonomyError` that names all labels that are not here, and what is spelled nearly so.
        labels: a mapping says where each stands."""
        foreign = [label for label in labels if self.spelled(label) is None]
        if not foreign:
            return
        places = labels if isinstance(labels, Mapping) else {}
        first, *others = foreign
        more = [f"{x!r} ({places[x]})" if places.get(x) else repr(x) for x in others]
        near = [
            f"{label!r} for {self._folded[match]!r}"
            for label in foreign
            for match in get_close_matches(label.casefold(), self._folded, n=1)
        ]
        if self.flat:
            told = f"one of {sorted(self.coarse_of)} ({self.source})"
            mend = (
                "Give all labels, in [initialize.components.<name>.labels] or in a taxonomy file."
            )
        else:
            told = (
                f"in the taxonomy ({self.source}), which has the fine types "
                f"{sorted(self.coarse_of)}"
            )
            mend = (
                f"Correct the data, or add what is missing to {self.source}."
                if Path(self.source).is_file()
                else "Correct the data, or add what is missing to a taxonomy file of your own, and "
                "give that file: as --taxonomy of a command, in a config as "
                "[initialize.components.<name>.taxonomy] path."
            )
        at = f"{places[first]}: " if places.get(first) else ""
        raise TaxonomyError(
            f"{at}The label {first!r} is not {told}"
            + (f"; nor are {len(more)} others: {', '.join(more)}" if more else "")
            + (f". Misspelled, perhaps: {', '.join(near)}" if near else "")
            + f". {mend}"
        )

    def coarse_label(self, fine: str) -> str:
        """The coarse type of a fine type, or a `TaxonomyError` that names the label."""
        return self.coarse_of[self.fine_label(fine)]

    def spelled_as(self, labels: Iterable[str] | Mapping[str, str]) -> "Taxonomy":
        """This taxonomy with the spelling of the labels of the data, case-insensitively.

        labels: of the data. A mapping says where each stands, for messages.

        Types that do not occur in `labels` keep their own spelling. Raises a `TaxonomyError` for
        labels that the taxonomy does not cover, and for two spellings of the same label.
        """
        labels = labels if isinstance(labels, Mapping) else dict.fromkeys(labels, "")
        self.check(labels)
        spelling = one_spelling(labels)
        return Taxonomy(
            {spelling.get(fine.casefold(), fine): c for fine, c in self.coarse_of.items()},
            self.source,
            {spelling.get(fine.casefold(), fine): x for fine, x in self.definitions.items()},
        )


def flat_taxonomy(
    labels: Iterable[str] | Mapping[str, str], source: str = "labels without a taxonomy"
) -> Taxonomy:
    """Each label is its own coarse type. labels: as for `Taxonomy.spelled_as`.

    Raises a `TaxonomyError` for two spellings of the same label, and for what is no name.
    """
    return Taxonomy({label: label for label in one_spelling(labels).values()}, source)


def one_spelling(labels: Iterable[str] | Mapping[str, str]) -> dict[str, str]:
    """Each label by its casefolded form. A `TaxonomyError` where there are two. labels: as for
    `Taxonomy.spelled_as`."""
    places = labels if isinstance(labels, Mapping) else {}
    spelling: dict[str, str] = {}
    for label in labels:
        before = spelling.setdefault(label.casefold(), label)
        if before != label:
            first, second = (
                f"{x!r} ({places[x]})" if places.get(x) else repr(x) for x in (before, label)
            )
            raise TaxonomyError(
                f"The data spells one label in two ways: {first} and {second}. "
                "Give all annotations the same spelling."
            )
    return spelling


def read_taxonomy(path: str | Path | None = None) -> Taxonomy:
    """Read a taxonomy file: TOML, one line `Coarse = ["Fine", "Fine"]` for each coarse type; or a
    table `[Coarse]` with a line `Fine = "what it is"` for each fine type, "" for no definition.

    path: the file; None for the packaged taxonomy of MultiCoNER II.

    Raises a `TaxonomyError` that names the file if it is missing or malformed, if a type stands
    twice, if a name is both fine and coarse for different things, or has characters that can't be
    seen.
    """
    path = MULTICONER2 if path is None else Path(path)
    form = 'Expected TOML lines like: Person = ["Artist", "Athlete"]'
    try:
        if path.is_dir():
            raise TaxonomyError(f"{path}: found a folder, expected a taxonomy file. {form}")
        if not path.is_file():
            raise TaxonomyError(f"{path}: there is no such taxonomy file.")
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
        if len(content) > MAX_SIZE:
            raise TaxonomyError(
                f"{path}: found more than {MAX_SIZE:,} bytes, expected a taxonomy file. {form}"
            )
        # Windows writes a byte order mark. Nested brackets make tomllib recurse, and long digits
        # are a plain ValueError.
        table: dict[str, Any] = tomllib.loads(content.decode("utf-8-sig"))
    except TaxonomyError:
        raise
    except (ValueError, RecursionError, OSError) as error:
        raise TaxonomyError(f"{path}: can't be read as a taxonomy: {error}. {form}") from None
    coarse_of: dict[str, str] = {}
    definitions: dict[str, str] = {}
    for coarse, fines in table.items():
        texts = fines.values() if isinstance(fines, dict) else fines
        if not isinstance(fines, list | dict) or not all(isinstance(x, str) for x in texts):
            raise TaxonomyError(
                f"{path}: {coarse} = {repr(fines)[:80]} is not a list of names, and no table of "
                f"names and definitions. {form}"
            )
        if isinstance(fines, dict):
            definitions |= {fine: text.strip() for fine, text in fines.items() if text.strip()}
        if not fines:
            raise TaxonomyError(f"{path}: the coarse type {coarse!r} has no fine types.")
        for name in (coarse, *fines):
            if hidden := invisible(name):
                raise TaxonomyError(
                    f"{path}: the type {name!r} has {hidden} in it, which can't be seen. Remove it."
                )
        for fine in fines:
            if fine in coarse_of:
                raise TaxonomyError(
                    f"{path}: the fine type {fine!r} stands under {coarse_of[fine]!r} and under "
                    f"{coarse!r}. Each fine type belongs to one coarse type."
                )
            coarse_of[fine] = coarse
    return Taxonomy(coarse_of, str(path.name if path == MULTICONER2 else path), definitions)
