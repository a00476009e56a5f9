"""Nothing but loopback is ever contacted, and no network is needed at all."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

RAGFLOW = str(Path(sys.executable).with_name("ragflow"))
SESSION = [
    ["init"],
    ["index"],
    ["doctor"],
    ["ask", "How many days of leave does an employee get?"],
    ["verify", "last"],
]
# Runs in every Python process of the session, spawned workers included, before anything else.
RECORDER = """
import os, sys
WATCHED = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1,
           "socket.getaddrinfo": 0, "socket.gethostbyname": 0}
def record(event, arguments, path=os.environ["NETWORK_RECORD"]):
    if event in WATCHED:
        line = f"{event} {arguments[WATCHED[event]]!r}\\n".encode()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, line)
        os.close(descriptor)
sys.addaudithook(record)
"""


@pytest.fixture
def office(tmp_path):
    """A folder with three documents of two formats, and an environment without anyone's settings."""
    folder = tmp_path / "office"
    folder.mkdir()
    (folder / "leave.md").write_text(
        "# Leave\n\nEvery employee gets 28 days of paid leave a year. Unused days expire in March.\n"
    )
    (folder / "travel.txt").write_text("Book rail journeys through the travel desk, two weeks ahead.\n")
    (folder / "keys.md").write_text("# Keys\n\nThe front desk keeps a spare key for every room.\n")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "USER", "LOGNAME") if name in os.environ}
    return folder, kept | {"HOME": str(tmp_path)}


def run_session(folder, environment, *, before=()):
    for command in SESSION:
        result = subprocess.run(
            [*before, RAGFLOW, *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        # 6 and 8 are answers: nothing found; something that `doctor` would mend.
        assert result.returncode in {0, 6, 8}, (command, result.stdout, result.stderr)
        assert "Traceback" not in result.stderr, command
    assert (folder / ".ragflow" / "current").exists()


def test_a_whole_session_opens_no_connection_from_python(office, tmp_path):
    folder, environment = office
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(RECORDER)
    record = tmp_path / "record"
    environment |= {"PYTHONPATH": str(hooks), "NETWORK_RECORD": str(record)}
    probe = "import socket; socket.getaddrinfo('127.0.0.1', 9)"
    subprocess.run([sys.executable, "-c", probe], env=environment, check=True)
    assert record.read_text() == "socket.getaddrinfo '127.0.0.1'\n", "the recorder must record"
    record.unlink()
    run_session(folder, environment)
    reached = record.read_text().splitlines() if record.exists() else []
    # asyncio and multiprocessing may talk to themselves by way of paths, never of hosts
    assert [line for line in reached if "'127.0.0.1'" not in line and "'/" not in line] == []


def test_a_whole_session_opens_no_connection_from_native_code(office, tmp_path, need_system):
    need_system("strace", "it sees the connections that compiled libraries open")
    trace = tmp_path / "trace"
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    tracer = ["strace", "--follow-forks", "--seccomp-bpf", "-qq", "-e", calls]
    allowed = subprocess.run([*tracer, "-o", str(trace), "true"], capture_output=True, check=False)
    need_system("ptrace", "strace needs the right to trace", present=allowed.returncode == 0)
    folder, environment = office
    run_session(folder, environment, before=[*tracer, "--output-append-mode", "-o", str(trace)])
    lines = trace.read_text().splitlines()
    named = [line for line in lines if re.search(r"sa_family=AF_INET6?\b", line)]
    assert [line for line in named if '"127.0.0.1"' not in line and '"::1"' not in line] == []


def test_neither_torch_nor_the_second_parser_opens_a_connection(office, tmp_path, need_system):
    """The same session, with what other libraries would tell of their use, or fetch, when they are loaded."""
    folder, environment = office
    settings = {
        "RAGFLOW_EMBED__ENGINE": "sentence-transformers",
        "RAGFLOW_SOURCES__DOCS__PARSER": "unstructured",
    }
    test_a_whole_session_opens_no_connection_from_native_code(
        (folder, environment | settings), tmp_path, need_system
    )
    parsers = subprocess.run(
        [RAGFLOW, "sources", "show", "docs/leave.md", "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "unstructured" in json.loads(parsers.stdout)["parser"]
    [generation] = (folder / ".ragflow" / "generations").glob("*.json")
    assert json.loads(generation.read_text())["embedder"].startswith("sentence-transformers")


def test_a_whole_session_works_where_there_is_no_network(office, need_system):
    separate = ["unshare", "--map-root-user", "--net"]
    allowed = subprocess.run([*separate, "true"], capture_output=True, check=False).returncode == 0
    need_system("unshare", "it takes the network away from one process", present=allowed)
    run_session(*office, before=separate)


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "169.254.169.254"])
def test_the_tests_stop_a_connection_to_another_machine(host):
    with socket.socket() as connection, pytest.raises(BaseException, match="reached for the network"):
        connection.connect((host, 9))


def test_the_tests_stop_a_name_from_being_looked_up():
    with pytest.raises(BaseException, match="reached for the network"):
        socket.getaddrinfo("example.invalid", 443)


def test_the_tests_stop_asyncio_too():
    with pytest.raises(BaseException, match="reached for the network"):
        asyncio.run(asyncio.open_connection("192.0.2.1", 9))


def test_the_tests_stop_a_datagram_too():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        pytest.raises(BaseException, match="reached for the network"),
    ):
        sender.sendto(b"x", ("192.0.2.1", 9))


def test_the_tests_leave_loopback_and_unix_sockets_alone(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
