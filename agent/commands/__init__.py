"""The commands of the command line: each says what arguments it takes, and does it."""
