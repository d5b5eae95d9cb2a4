"""Fine-grained named-entity recognition for spaCy.

Nothing needs to be imported: spaCy finds the factory `finegrained_ner` and everything that a
config names through entry points (see pyproject.toml).
"""
