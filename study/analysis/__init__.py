"""What the records say: effects and means with intervals."""
