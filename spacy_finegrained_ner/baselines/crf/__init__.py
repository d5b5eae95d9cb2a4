"""The traditional baseline: a conditional random field over hand-made features (CRFsuite)."""
