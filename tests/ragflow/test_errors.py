"""Every error that can leave the lower floors has a name, a hint and an exit code for the user."""

import errno
import importlib
import inspect
import pkgutil
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

import connectors
import evals
import indexes
import ragflow.errors as told
from connectors.errors import ConnectorError, SourceUnavailable, UnreadableDocument
from evals.errors import EvalError, ExtraMissing
from indexes.errors import StorageError
from ragflow.errors import FOREIGN, RagflowError, map_errors, translate

EXIT_CODES = {
    "RagflowError": 1,
    "UsageError": 2,
    "ConfigError": 2,
    "QuestionError": 2,
    "UnknownSource": 2,
    "UnknownGeneration": 2,
    "ReaderError": 2,
    "NoIdentity": 2,
    "NotAllowed": 2,
    "AlreadyThere": 2,
    "DatasetInvalid": 2,
    "UnknownMetric": 2,
    "UnknownSystem": 2,
    "UnknownRun": 2,
    "WeightsMissing": 2,
    "WeightsMismatch": 2,
    "VectorsUnsound": 2,
    "ExtraMissing": 2,
    "WorkspaceTooNew": 2,
    "NoGeneration": 3,
    "NotPushed": 3,
    "OutsideCause": 4,
    "SourceFailed": 4,
    "ServerFailed": 4,
    "LockHeld": 4,
    "BrakeHeld": 4,
    "DiskFull": 4,
    "NoRight": 4,
    "EmbeddingFailed": 4,
    "StoreDamaged": 4,
    "NoModel": 5,
    "NotFound": 6,
    "CannotSay": 9,
}


def family(base):
    """A class and all of its descendants that exist once every module of the lower floors is loaded."""
    for floor in (connectors, indexes, evals):
        for module in pkgutil.walk_packages(floor.__path__, f"{floor.__name__}."):
            importlib.import_module(module.name)
    found = {base}
    for child in base.__subclasses__():
        found |= family(child)
    return found


def ours():
    return {
        value for value in vars(told).values() if inspect.isclass(value) and issubclass(value, RagflowError)
    }


@pytest.mark.parametrize("base", [ConnectorError, StorageError, EvalError])
def test_no_error_of_the_lower_floors_is_missed(base):
    own = {
        kind for kind in family(base) if kind.__module__.split(".")[0] in {"connectors", "indexes", "evals"}
    }
    assert own <= set(FOREIGN)


def test_no_other_error_is_born_on_the_lower_floors_without_a_family():
    for floor in (connectors, indexes, evals):
        module = importlib.import_module(f"{floor.__name__}.errors")
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Exception):
                assert value in FOREIGN


def test_exit_codes_are_pinned():
    assert {kind.__name__: kind.exit_code for kind in ours()} == EXIT_CODES


def test_the_tree_at_the_top_names_every_error_with_its_code():
    for kind in ours():
        (line,) = [
            line for line in told.__doc__.splitlines() if line.lstrip("|-` ").split(" ")[0] == kind.__name__
        ]
        branch = next(parent for parent in kind.__mro__ if f"{parent.exit_code}  " in told.__doc__)
        assert str(branch.exit_code) == str(kind.exit_code)
        assert line.startswith(("|", "`", "R"))


@pytest.mark.parametrize("kind", sorted(ours() - {RagflowError}, key=lambda kind: kind.__name__))
def test_every_error_says_what_to_do(kind):
    # To say what to do about a document that may be forbidden would say that it is there.
    assert bool(kind("x").hint) == (kind.__name__ != "NotFound")


def test_an_error_as_json():
    error = told.NoGeneration("nothing has been indexed yet")
    assert error.to_json() == {
        "schema": "ragflow.error/1",
        "error": {
            "type": "NoGeneration",
            "message": "nothing has been indexed yet",
            "hint": "ragflow index",
            "exit_code": 3,
        },
    }


@pytest.mark.parametrize(("foreign", "kind"), FOREIGN.items())
def test_the_message_and_hint_of_a_foreign_error_are_kept(foreign, kind):
    extra = {UnreadableDocument: {"reason": "locked"}, ExtraMissing: {"extra": "ragas"}}.get(foreign, {})
    original = foreign("it broke", hint="mend it", **extra)
    with pytest.raises(kind, match="it broke") as caught, map_errors():
        raise original
    assert type(caught.value) is kind
    assert caught.value.hint == "mend it"
    assert caught.value.__cause__ is original


def test_an_unlisted_child_counts_as_its_parent():
    class Offline(SourceUnavailable):
        pass

    assert isinstance(translate(Offline("gone")), told.SourceFailed)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, told.DiskFull),
        (errno.EDQUOT, told.DiskFull),
        (errno.EACCES, told.NoRight),
        (errno.EPERM, told.NoRight),
        (errno.EROFS, told.NoRight),
        (errno.EIO, told.OutsideCause),
    ],
)
def test_the_operating_systems_refusals_are_mapped(number, kind):
    error = translate(OSError(number, "refused", "somewhere"))
    assert type(error) is kind
    assert "somewhere" in str(error)


def test_a_file_that_is_no_database_is_a_damaged_store(tmp_path: Path):
    (tmp_path / "store.sqlite").write_bytes(b"no database at all" * 100)
    engine = sa.create_engine(f"sqlite:///{tmp_path}/store.sqlite")
    with pytest.raises(told.StoreDamaged), map_errors(), engine.connect() as connection:
        connection.execute(sa.text("select * from items"))
    engine.dispose()


def test_a_full_database_is_a_full_disk():
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (x)")
    connection.execute("pragma max_page_count = 2")
    with pytest.raises(told.DiskFull), map_errors():
        connection.execute("insert into t values (zeroblob(1000000))")
    connection.close()


def test_a_database_that_may_not_be_written_is_a_missing_right():
    connection = sqlite3.connect("file:x?mode=memory", uri=True)
    connection.execute("create table t (x)")
    connection.execute("pragma query_only = 1")
    with pytest.raises(told.NoRight), map_errors():
        connection.execute("insert into t values (1)")
    connection.close()


def test_a_bug_stays_a_bug():
    with pytest.raises(ZeroDivisionError), map_errors():
        raise ZeroDivisionError
    assert translate(sqlite3.ProgrammingError("a mistake of ours")) is None
    assert translate(FileNotFoundError(errno.ENOENT, "no such file")) is None


def test_our_own_errors_pass_unchanged_and_the_map_works_as_a_decorator():
    error = told.NotFound("not found")

    @map_errors()
    def raising():
        raise error

    with pytest.raises(told.NotFound) as caught:
        raising()
    assert caught.value is error


@pytest.mark.parametrize("question", ["", "   ", "\n\t"])
def test_an_empty_question_is_refused(question):
    with pytest.raises(told.QuestionError, match="empty"):
        told.check_question(question)


def test_a_question_may_have_8000_characters_and_not_one_more():
    assert told.check_question("x" * 8000) == "x" * 8000
    with pytest.raises(told.QuestionError, match="8,001"):
        told.check_question("x" * 8001)
