"""The command line: `spacy finegrained-ner <verb>`. Nothing imports this package."""
