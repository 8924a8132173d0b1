"""What can go wrong with a lab, in words for people."""

from __future__ import annotations


class LabError(Exception):
    """The lab was asked for something that it cannot do; the message says what would be right."""


class LabUnavailable(LabError):
    """This machine does not let a lab start; the message says which call failed, why, and how to allow it."""
