"""Readers of the forms that labelled data come in, all to the same records, and those to Docs."""
