"""What can go wrong in an evaluation.

EvalError
|-- DatasetInvalid     a line of a data set is wrong, named; nothing is evaluated
|-- UnknownMetric      no metric of that name
|-- UnknownSystem      no system of that name
|-- RunNotFound        no evaluation run of that name
|-- RunDamaged         a stored run cannot be read
|-- ExtraMissing       an optional part of the program is not installed
|-- NotComparable      two runs have no question, or no data, in common
`-- ResultsNotWritable no right or no space to store results
"""


class EvalError(Exception):
    """Base of every error of this package. ``hint`` says what a person can do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class DatasetInvalid(EvalError):
    """A line of a data set is wrong. The message begins with ``file:line:``."""


class UnknownMetric(EvalError):
    """No metric of that name."""


class UnknownSystem(EvalError):
    """No system of that name."""


class RunNotFound(EvalError):
    """No evaluation run of that name."""


class RunDamaged(EvalError):
    """A stored run cannot be read."""


class ExtraMissing(EvalError):
    """An optional part of the program, ``extra``, is not installed."""

    def __init__(self, message: str, *, extra: str, hint: str = "") -> None:
        super().__init__(message, hint=hint or f'pip install "ragflow[{extra}]" from the checkout')
        self.extra = extra


class NotComparable(EvalError):
    """Two runs have no question, or no data, in common."""


class ResultsNotWritable(EvalError):
    """No right or no space to store results."""
