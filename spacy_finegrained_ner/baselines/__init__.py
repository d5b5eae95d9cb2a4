"""Other ways to find the same entities, to compare with: each an optional extra of its own."""
