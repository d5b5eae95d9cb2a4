"""Labels in plain Python: taxonomy, tag set, BIO, colors. Imports nothing of the package."""
