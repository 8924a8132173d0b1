"""What ends a command with one clear line and exit code 3."""


class Unusable(Exception):
    """The input or the machine cannot be used as asked; the message says what is wrong and how to mend it."""
