"""Anybody's function as a system: ``module:function``, from a case to a ``Response`` that is checked."""

import hashlib
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from evals.cases import Case, Response, System
from evals.errors import UnknownSystem

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class UnfitResponse(Exception):
    """A system of somebody else's gave something that is no ``Response``; only its case fails."""


def imported(name: str) -> System:
    """Import ``module:function``; the working folder is looked into first.

    Raises:
        UnknownSystem: the module or the function is not there, or importing it fails.
    """
    module, _, path = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found: object = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise UnknownSystem(
            f"{name} cannot be imported: {type(error).__name__}: {error}",
            hint="name an importable module and a function in it: package.module:function",
        ) from error
    if not callable(found):
        raise UnknownSystem(f"{name} is no function", hint="it takes a Case and returns a Response")
    function: Callable[[Case], object] = found

    def call(case: Case) -> Response:
        began = time.perf_counter()
        given = function(case)
        spent = (time.perf_counter() - began) * 1_000
        response = _checked(name, given)
        return response if response.timings_ms else replace(response, timings_ms={"total": spent})

    return call


def _checked(name: str, given: object) -> Response:
    """Return what somebody's function gave, if all of it is what ``Response`` says.

    Raises:
        UnfitResponse: it is something else; the message names the first field that is wrong.
    """
    if not isinstance(given, Response):
        raise UnfitResponse(f"{name} returned {type(given).__name__}, not evals.cases.Response")
    from pydantic import ValidationError

    try:
        response = _responses().validate_python(asdict(given))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnfitResponse(f"{name} returned a Response whose {place} is wrong: {first['msg']}") from error
    numbers = [*(one.score for one in response.ranking), *response.timings_ms.values(), response.cost_usd]
    if not all(map(math.isfinite, numbers)):
        raise UnfitResponse(f"{name} returned a Response with a score, a time or a cost that is no number")
    if response.confidence is not None and not 0 <= response.confidence <= 1:
        raise UnfitResponse(f"{name} returned a confidence of {response.confidence}: it goes from 0 to 1")
    if any(not 0 <= at < len(response.citations) for claim in response.claims for at in claim.citations):
        raise UnfitResponse(f"{name} returned a claim that cites what is not among its citations")
    return response


@cache
def _responses() -> "TypeAdapter[Response]":
    from pydantic import TypeAdapter

    return TypeAdapter(Response)


def source_digest(name: str) -> str | None:
    """Return the SHA-256 of the file that a ``module:function`` is in; None where it is in no file."""
    found = find_spec(name.partition(":")[0])
    file = Path(found.origin) if found is not None and found.origin else None
    return hashlib.sha256(file.read_bytes()).hexdigest() if file is not None and file.is_file() else None
