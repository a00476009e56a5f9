"""Long-lived processes that decide the same request behind a barrier; see tests/ragflow/test_approvals.py."""

from pathlib import Path
from typing import Any

from ragflow.approvals.desk import Desk
from ragflow.config import load
from ragflow.identity import Asker
from ragflow.workflows.database import Database
from ragflow.workflows.errors import RequestChanged


def opened(place: str) -> Database:
    """Open a database by its url, or by its path."""
    return Database.of_url(place) if place.startswith("postgresql") else Database.of_file(Path(place))


def person(number: int) -> Asker:
    """Return one of those who may decide."""
    return Asker(f"user:p{number}", ("everyone", "group:leads", f"user:p{number}"))


def decide(number: int, config: str, place: str, barrier: Any, rounds: Any, told: Any) -> None:
    """Take (approval, digest) until None comes; decide each when all are ready, and tell what came of it."""
    asker = person(number)
    with opened(place) as database:
        desk = Desk(load(Path(config)), database)
        while (given := rounds.get()) is not None:
            approval, digest = given
            barrier.wait()
            try:
                if number % 3 == 0:
                    asked = desk.approve(approval, digest, asker=asker)
                elif number % 3 == 1:
                    asked = desk.revise(approval, digest, [f"amount={number}"], asker=asker)
                else:
                    asked = desk.reject(approval, digest, asker=asker)
            except RequestChanged:
                told.put((number, "RequestChanged"))
            except Exception as error:  # noqa: BLE001 - the test shows it
                told.put((number, repr(error)))
            else:
                told.put((number, asked.status))
