"""What ends a command with one clear line and exit code 3, or a request with a refusal."""


class Unusable(Exception):
    """The input or the machine cannot be used as asked; the message says what is wrong and how to mend it."""


class Busy(Exception):
    """Too many ask for the same at once; the text says when to ask again."""
