"""Modules and functions that ``ragflow.yaml`` names: looked for beside that file first."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from ragflow.errors import ConfigError

_IMPORTING = threading.RLock()


def imported(folder: Path, name: str) -> ModuleType:
    """Import a module by its dotted name; ``folder`` (of ``ragflow.yaml``) is looked into before all else.

    Two workspaces of one process may have modules of the same name: each gets its own.

    Raises:
        ConfigError: there is none of that name, or it raises while it is imported.
    """
    with _IMPORTING, _first(folder):
        _forget_another(folder, name)
        try:
            return import_module(name)
        except (Exception, SystemExit) as error:
            raise ConfigError(
                f"the module {name} cannot be imported: {type(error).__name__}: {error}",
                hint=f"write it as package.module, below {folder} or installed; python -c 'import {name}'",
            ) from error


def found(folder: Path, name: str) -> object:
    """Return what ``module:name`` names, or ``module:name.attribute``.

    Raises:
        ConfigError: as ``imported``; or the module has nothing of that name.
    """
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise ConfigError(f'"{name}" names no function', hint="write package.module:function")
    here: object = imported(folder, module)
    for part in path.split("."):
        try:
            here = getattr(here, part)
        except AttributeError as error:
            raise ConfigError(
                f"the module {module} has nothing that is called {path}", hint="write package.module:function"
            ) from error
    return here


@contextmanager
def _first(folder: Path) -> Iterator[None]:
    """Look into ``folder`` first, and leave it last: what it imports later is found, and shadows nothing."""
    here = str(folder)
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
        if here not in sys.path:
            sys.path.append(here)


def _forget_another(folder: Path, name: str) -> None:
    """Take a package of the same name, of another folder, out of the modules that are imported already."""
    top = name.partition(".")[0]
    known = sys.modules.get(top)
    own = PathFinder.find_spec(top, [str(folder)])
    if known is None or own is None:
        return
    places = {*(own.submodule_search_locations or ()), own.origin}
    there = {*getattr(known, "__path__", ()), getattr(known, "__file__", None)}
    if places & there - {None}:
        return
    for loaded in [one for one in sys.modules if one == top or one.startswith(f"{top}.")]:
        del sys.modules[loaded]
