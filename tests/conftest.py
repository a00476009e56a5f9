"""What all tests share: real data, rounds, system parts, and a network that ends at this machine."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import qdrant_places
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from postgres import Postgres
    from qdrant_server import QdrantServer

    from indexes.embedding import Embedder
    from indexes.testing import World

REPOSITORY = Path(__file__).resolve().parent.parent
CI = os.environ.get("CI", "").lower() in {"1", "true"}

# (dotted event, position of the address or host among its arguments)
NETWORK_EVENTS = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}


class OutsideNetwork(BaseException):
    """A test reached for another machine. Not an Exception, so that no code under test swallows it."""


def is_local(target: object) -> bool:
    """Tell whether a socket address or host name stays on this machine; a path (AF_UNIX) does."""
    host = target[0] if isinstance(target, tuple) and target else target
    if host is None or isinstance(host, int):  # any address of ours; a netlink address
        return True
    name = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
    if not isinstance(target, tuple) and ("/" in name or name.startswith("\0")):
        return True
    if name in {"", "localhost"}:
        return True
    try:
        return ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False


def forbid_outside(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook: raise before a packet leaves, or a name is looked up.

    One look-up escapes: ``connect`` to a name asks the system's resolver before the hook hears of it;
    the connection itself is still stopped. Libraries call ``getaddrinfo`` first, which is heard.
    """
    position = NETWORK_EVENTS.get(event)
    if position is not None and not is_local(arguments[position]):
        message = f"a test reached for the network: {event} {arguments[position]!r}"
        raise OutsideNetwork(message)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run laws and kill tests with their full counts")


def pytest_configure(config: pytest.Config) -> None:
    # One hook for the whole process and for good: it also sees what C and asyncio connect.
    sys.addaudithook(forbid_outside)
    # A loaded machine says nothing about the code: no deadline, no health check on speed.
    slow_is_fine = [HealthCheck.too_slow, HealthCheck.data_too_large]
    settings.register_profile(
        "fast", max_examples=50, deadline=None, suppress_health_check=slow_is_fine, derandomize=CI
    )
    settings.register_profile("soak", max_examples=2000, deadline=None, suppress_health_check=slow_is_fine)
    settings.load_profile("soak" if config.getoption("--soak") else "fast")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[..., int]:
    """``rounds(fast=5, soak=50)``: how often to repeat, for `make test` and for `make soak`."""
    soaking = request.config.getoption("--soak")

    def choose(*, fast: int, soak: int) -> int:
        return soak if soaking else fast

    return choose


@pytest.fixture(scope="session")
def need_system() -> Callable[..., None]:
    """``need_system("tesseract", "reads scans")``: skip where a part is absent; fail there under CI=true.

    A part is a program on PATH, unless ``present`` tells otherwise.
    """

    def need(part: str, reason: str, *, present: bool | None = None) -> None:
        if shutil.which(part) is not None if present is None else present:
            return
        message = f"{part} is absent: {reason}"
        if CI:
            pytest.fail(f"{message} (tests/apt.txt names what CI installs)")
        pytest.skip(message)

    return need


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of public data sets: RAGFLOW_TEST_DATA, else ../shared/data beside the repository."""
    named = os.environ.get("RAGFLOW_TEST_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data: RAGFLOW_TEST_DATA names no folder, and ../shared/data is not there")
    return folder


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> "Embedder":
    """The default model, real; each distinct text is embedded once in the session."""
    from indexes import weights
    from indexes.onnx_embedder import OnnxEmbedder
    from indexes.recalling import Recalling

    known = weights.find("all-MiniLM-L6-v2")
    cache = tmp_path_factory.mktemp("model")
    model = OnnxEmbedder.open(known.folder, precision="fp32", cache=cache, expected_sha256=known.sha256)
    return Recalling(model, kept=None)


@pytest.fixture
def new_world(tmp_path: Path, embedder: "Embedder") -> "Iterator[Callable[[], World]]":
    """Make worlds (a workspace whose sources are planted documents), each in a folder of its own."""
    from indexes.testing import World

    made: list[World] = []

    def make() -> World:
        made.append(World(tmp_path / f"world-{len(made)}", embedder))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture(scope="session")
def clone() -> Callable[[Path, Path], Path]:
    """Copy a workspace, times kept; the model's 90 MB, which nothing changes, as links."""

    def copy(source: str, target: str) -> object:
        return os.link(source, target) if "model" in Path(source).parts else shutil.copy2(source, target)

    return lambda source, target: shutil.copytree(source, target, copy_function=copy)


@pytest.fixture(scope="session")
def postgres(need_system: Callable[..., None]) -> "Iterator[Postgres]":
    """A real PostgreSQL server on loopback; ``postgres.database()`` gives an empty database's url."""
    from postgres import Postgres, programs

    need_system("postgresql", "the sql connector reads it", present=programs() is not None)
    with Postgres() as server:
        yield server


@pytest.fixture(params=qdrant_places.names())
def qdrant(request: pytest.FixtureRequest) -> "Iterator[qdrant_places.Place]":
    """Local mode, the scripted server, and the real one where ``QDRANT_URL`` names it; see qdrant_places."""
    with qdrant_places.place(request.param) as found:
        yield found


@pytest.fixture
def qdrant_server() -> "Iterator[QdrantServer]":
    """The scripted server alone; ``add`` tells it what shall go wrong."""
    from qdrant_server import QdrantServer

    with QdrantServer() as server:
        yield server
