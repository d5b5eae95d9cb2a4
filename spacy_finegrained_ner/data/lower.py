"""A gold Doc in lower case."""

from __future__ import annotations

from spacy.tokens import Doc, Span

_ANNOTATION = ("TAG", "POS", "MORPH", "LEMMA", "ENT_IOB", "ENT_TYPE", "ENT_KB_ID", "ENT_ID")


def lowered(doc: Doc) -> Doc:
    """The same tokens in lower case, with their annotation, span groups and categories. Characters
    may be more than before (İ), so that nothing goes by them."""
    words = [token.text.lower() for token in doc]
    if doc.has_unknown_spaces:
        new = Doc(doc.vocab, words=words)
    else:
        new = Doc(doc.vocab, words=words, spaces=[bool(token.whitespace_) for token in doc])
    tree = ("HEAD", "DEP") if doc.has_annotation("DEP") else ("SENT_START",)
    names = [*_ANNOTATION, *tree]
    new.from_array(names, doc.to_array(names))  # type: ignore[arg-type]
    new.cats = dict(doc.cats)
    for key, group in doc.spans.items():
        new.spans[key] = [Span(new, span.start, span.end, span.label_) for span in group]
    return new
