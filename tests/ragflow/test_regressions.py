"""The evaluation finds what was broken on purpose, and nothing where nothing was."""

import sys
from importlib.util import module_from_spec, spec_from_file_location

import pytest

QUICK = [
    "the sound workspace, evaluated twice",
    "quotes shifted by one",
    "the last hit is cited",
    "everything is answered",
    "only the first chunk of a document",
]


@pytest.fixture(scope="module")
def regressions(repository):
    """The benchmark of that name, as a module."""
    spec = spec_from_file_location("regressions", repository / "benchmarks" / "regressions.py")
    module = module_from_spec(spec)
    sys.modules["regressions"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["regressions"]


@pytest.fixture(scope="module")
def bench(regressions, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    return regressions.Bench(folder, folder / "no data")


@pytest.mark.parametrize("name", QUICK)
def test_a_regression_is_found_and_a_sound_workspace_is_not(regressions, bench, name):
    one = next(each for each in regressions.ALL if (each.data, each.name) == ("northwind", name))
    found = regressions.found_by(bench.sound(one), bench.broken(one), one.system)
    assert bool(found) != one.sound, found
