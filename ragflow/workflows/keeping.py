"""What no step may remember: that the database of runs did not answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from ragflow.errors import OutsideCause, translate
from ragflow.workflows.contracts import Abandoned
from ragflow.workflows.errors import DatabaseGone


@contextmanager
def keeping() -> Iterator[None]:
    """Abandon the execution where the database fails: no step may remember that as its result."""
    try:
        yield
    except DatabaseGone as error:
        raise Abandoned(error) from error
    except DBAPIError as error:
        raise Abandoned(translate(error) or OutsideCause(f"the database of runs: {error.orig}")) from error
