"""The study: what each technique adds, on real data and with intervals."""
