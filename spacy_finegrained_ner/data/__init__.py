"""spaCy data: CoNLL files, corpora, conversion, alignment of gold tags, the embedded corpus."""
