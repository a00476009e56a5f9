"""Names on the hub: this machine is looked at first, what is fetched is what is needed, no hub is told."""

import hashlib
import json
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from indexes.hub import is_name, wanted

NAME, COMMIT = "acme/tiny", "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"the same",
    "onnx/model.onnx": b"the same",
    "tokenizer.json": b"{}",
    "1_Pooling/config.json": b"{}",
}
FETCH = """
import json, sys
from indexes import hub
from indexes.errors import ModelMissing
name, *steps = sys.argv[1:]
for step in steps:
    try:
        found = getattr(hub, step)(name)
        files = found and sorted(path.relative_to(found).as_posix() for path in found.rglob("*.*"))
        print(json.dumps(files))
    except ModelMissing as error:
        print(json.dumps([str(error), error.hint]))
"""


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a fetch meets."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str]]

    def answer(self, content, **headers):
        self.send_response(200)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def do_GET(self):
        self.seen.append((self.path, self.headers.get("User-Agent", "")))
        path = self.path.partition("?")[0]
        start = f"/{NAME}/resolve/{COMMIT}/"
        if path.startswith(start) and path.removeprefix(start) in FILES:
            content = FILES[path.removeprefix(start)]
            etag = hashlib.sha256(content).hexdigest()
            self.answer(content, ETag=f'"{etag}"', X_Repo_Commit=COMMIT)
        elif path.startswith(f"/api/models/{NAME}/tree/"):
            rows = [
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                for name, content in FILES.items()
            ]
            self.answer(json.dumps(rows).encode(), Content_Type="application/json")
        elif path.startswith(f"/api/models/{NAME}"):
            told = {"id": NAME, "sha": COMMIT, "siblings": [{"rfilename": name} for name in FILES]}
            self.answer(json.dumps(told).encode(), Content_Type="application/json")
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the server's own way

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def served():
    """Give the address of a hub, and what it was asked."""
    handler = type("Hub", (Hub,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(tmp_path, address, name, *steps):
    """What the steps give in a process of their own: the library reads its settings when it is imported."""
    environment = {
        "HF_HOME": str(tmp_path),
        "HF_ENDPOINT": address,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONPATH": ":".join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", FETCH, name, *steps],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(autouse=True)
def _hub_library():
    pytest.importorskip("huggingface_hub", reason="the extra is not installed")


def test_a_model_is_fetched_once_without_what_others_need(tmp_path):
    needed = ["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.json"]
    with served() as (address, seen):
        assert run(tmp_path, address, NAME, "cached", "fetch", "cached") == [None, needed, needed]
        fetched = len(seen)
        assert not any("onnx" in path or ".bin" in path for path, _ in seen if "/resolve/" in path)
        assert run(tmp_path, address, NAME, "cached") == [needed]
        assert len(seen) == fetched
    assert run(tmp_path, address, NAME, "cached") == [needed]  # nor is the hub needed any more


def test_a_hub_that_cannot_be_reached_is_told_with_a_cure(tmp_path):
    with served() as (address, _):
        pass
    [(message, hint)] = run(tmp_path, address, NAME, "fetch")
    assert message.startswith("acme/tiny is not on this machine, and the hub gave it not: Connect")
    assert "copy its folder here" in hint
    assert "docs/models.md" in hint


def test_a_model_that_the_hub_has_not_is_told(tmp_path):
    with served() as (address, _):
        [(message, _)] = run(tmp_path, address, "acme/none", "fetch")
    assert message == "the hub has no model named acme/none, or not for everyone"


def test_weights_of_a_module_that_has_no_others_are_wanted():
    files = ["model.safetensors", "pytorch_model.bin", "2_Dense/pytorch_model.bin", "tf_model.h5"]
    assert wanted(files) == ["model.safetensors", "2_Dense/pytorch_model.bin"]


@pytest.mark.parametrize(
    ("model", "told"),
    [("intfloat/e5-small", True), ("e5-small", False), ("a/b/c", False), ("../x", False), ("/x", False)],
)
def test_what_is_a_name_on_the_hub(model, told):
    assert is_name(model) is told
