"""Start-up is a promise: what is heavy is imported where it is used, not before."""

import json
import os
import subprocess
import sys

import pytest
from embedding_server import EmbeddingServer
from otlp_receiver import Receiver

HEAVY = [
    "dbos",
    "docx",
    "kreuzberg",
    "langchain_community",
    "litellm",
    "onnx",
    "onnxruntime",
    "openpyxl",
    "opentelemetry",
    "pptx",
    "psycopg",
    "pypdfium2",
    "qdrant_client",
    "ragas",
    "scipy",
    "sentence_transformers",
    "tokenizers",
    "torch",
    "transformers",
    "unstructured",
]
COMMAND_LINE = """
import contextlib, io, sys
sys.argv = ["ragflow", "--help"]
from ragflow.cli import main
with contextlib.redirect_stdout(io.StringIO()) as page, contextlib.suppress(SystemExit):
    main()
assert "Usage" in page.getvalue(), page.getvalue()
"""


def modules_after(code):
    """Names in sys.modules of a fresh interpreter that ran the code."""
    script = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "code",
    ["import ragflow", "import evals", "import indexes", "import connectors", COMMAND_LINE],
    ids=["ragflow", "evals", "indexes", "connectors", "help"],
)
def test_importing_and_help_load_nothing_heavy(code):
    assert modules_after(code) & set(HEAVY) == set()


def test_the_check_itself_sees_an_import():
    assert "sqlite3" in modules_after("import sqlite3")


EXTRAS = {
    "qdrant": {"qdrant_client"},
    "transformers": {"sentence_transformers", "torch", "transformers"},
    "llm": {"litellm"},
    "unstructured": {"unstructured", "spacy"},
    "ragas": {"ragas", "langchain_community"},
    "s3": {"s3fs", "botocore"},
    "postgres": {"psycopg"},
    "telemetry": {"opentelemetry"},
}
"""What each extra brings: the packages that are slow to import, or large."""
WALK = """
import contextlib, io, json, sys
from ragflow.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
    for command in json.loads(sys.argv[1]):
        code = main(command)
assert code == 0, said.getvalue()
"""
TRANSFORMERS = ["--set", "embed.engine=sentence-transformers"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "leave.md").write_text(
        "# Leave\n\nEvery employee gets 28 days of paid leave a year.\n"
    )
    sources = "sources: {docs: {type: files, path: docs, readers: [everyone]}}\n"
    (tmp_path / "ragflow.yaml").write_text(f"version: 1\n{sources}")
    return tmp_path


def walked(folder, flags):
    """The packages of extras that a process loads which indexes, searches, answers and verifies."""
    question = "How many days of leave does an employee get?"
    commands = [["index"], ["search", question], ["ask", question], ["verify", "last"], ["doctor"]]
    given = json.dumps([["-C", str(folder), *flags, *one] for one in commands])
    script = f"{WALK}\nimport sys\nprint('\\n'.join(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", script, given],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split()) & set().union(*EXTRAS.values())


def test_without_configuration_no_package_of_an_extra_is_loaded(folder):
    assert walked(folder, []) == set()


def test_answering_loads_no_parser(folder):
    walked(folder, [])
    script = f"{WALK}\nassert not [name for name in sys.modules if name.startswith('connectors.parsing')]"
    asked = json.dumps([["-C", str(folder), "ask", "How many days of leave does an employee get?"]])
    subprocess.run([sys.executable, "-c", script, asked], check=True)


def test_a_server_for_the_index_loads_its_client_and_no_other(folder, qdrant_server):
    assert walked(folder, ["--set", f"index.url={qdrant_server.url}"]) == EXTRAS["qdrant"]


def test_an_engine_with_torch_loads_its_packages_and_no_other(folder):
    assert walked(folder, TRANSFORMERS) == EXTRAS["transformers"]


def test_an_engine_of_an_api_loads_litellm_and_no_other(folder, embedder):
    with EmbeddingServer(embedder) as server:
        flags = ["--set", "embed.engine=litellm", "--set", "embed.model=openai/any"]
        assert walked(folder, [*flags, "--set", f"embed.api_base={server.url}"]) == EXTRAS["llm"]


def test_a_receiver_of_traces_loads_their_encoder_and_no_other(folder):
    with Receiver() as receiver:
        flags = ["--set", f"telemetry.endpoint={receiver.url}"]
        assert walked(folder, flags) == EXTRAS["telemetry"]
    assert len(receiver.posts) == 2, "the index run, and the question"


def test_the_second_parser_is_loaded_by_its_workers_alone(folder):
    assert walked(folder, ["--set", "sources.docs.parser=unstructured"]) == set()
