"""The one exception of the measuring side."""


class MeasureError(Exception):
    """What was asked could not be done; one line that says what was wrong, with the value, and what to do."""
