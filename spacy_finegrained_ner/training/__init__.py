"""What a training run is made of: schedules and the optimizer. Imports nothing of the package."""
