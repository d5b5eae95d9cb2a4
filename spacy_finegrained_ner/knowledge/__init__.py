"""Names that a user has: the file they are kept in, what builds it, what finds them in texts."""
