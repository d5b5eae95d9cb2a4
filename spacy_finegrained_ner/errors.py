"""What a user can do wrong."""


class UserError(ValueError):
    """Something that was given is not what it has to be: the message says what was found, what was
    expected and what to do. The command line prints it without a traceback."""
