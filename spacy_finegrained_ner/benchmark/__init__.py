"""The clocks: this plugin against spaCy's own ner, plain PyTorch and the bare encoder."""
