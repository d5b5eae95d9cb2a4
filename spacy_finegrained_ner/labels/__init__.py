"""Labels in plain Python: taxonomy, tag set, BIO, colors. Imports only the contracts."""
