"""Start-up is a promise: what is heavy is imported where it is used, not before."""

import subprocess
import sys

import pytest

HEAVY = [
    "dbos",
    "docx",
    "kreuzberg",
    "langchain_community",
    "litellm",
    "onnx",
    "onnxruntime",
    "openpyxl",
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
