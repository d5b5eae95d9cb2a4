"""The runs: data, trainings, and their records."""
