"""The configurations in docs/connectors/files.md and git.md are whole and right."""

import re

import pytest

from ragflow.config import load
from ragflow.sources import spec


@pytest.mark.parametrize("page", ["files", "git"])
def test_the_configuration_of_a_page_makes_its_sources(repository, tmp_path, monkeypatch, page):
    text = (repository / f"docs/connectors/{page}.md").read_text()
    assert text.count("\n") < 120
    (tmp_path / "ragflow.yaml").write_text(re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1])
    for name in ("CONTRACTS_KEY", "CONTRACTS_SECRET", "CODE_TOKEN"):
        monkeypatch.setenv(name, "x")
    config = load(tmp_path / "ragflow.yaml", environ={})
    for name in config.sources:
        made = spec(config, name)
        assert made.kind == page
        assert made.ceiling
