"""A web source as it is configured."""

import pytest
from site_server import SiteServer, handbook

from connectors.errors import SourceMisconfigured
from ragflow import sources
from ragflow.config import load


@pytest.fixture
def configured(tmp_path):
    def configured(server, more):
        file = tmp_path / "ragflow.yaml"
        file.write_text(
            f"version: 1\nsources:\n  site: {{type: web, start: ['{server.url}/'], rate: 1000, {more}}}\n"
            "outbound: {allow: [127.0.0.1]}\n"
        )
        return load(file, environ={})

    return configured


@pytest.mark.parametrize(
    ("token", "more", "header", "value"),
    [
        ("sesame", "token_env: SITE_TOKEN", "authorization", "Bearer sesame"),
        ("Basic c2VzYW1l", "token_env: SITE_TOKEN", "authorization", "Basic c2VzYW1l"),
        ("sesame", "token_env: SITE_TOKEN, header: X-Key", "x-key", "sesame"),
    ],
)
def test_a_token_is_sent_as_its_header_wants_it(configured, monkeypatch, token, more, header, value):
    monkeypatch.setenv("SITE_TOKEN", token)
    with SiteServer(handbook()) as server:
        spec = sources.spec(configured(server, f"readers: [everyone], {more}"), "site")
        assert len(list(spec.connector.list())) == 8
        assert {headers[header] for _, headers in server.seen} == {value}


def test_a_token_that_is_not_set_is_told_by_the_name_of_its_variable(configured, monkeypatch):
    monkeypatch.delenv("SITE_TOKEN", raising=False)
    with SiteServer({}) as server, pytest.raises(SourceMisconfigured, match="SITE_TOKEN"):
        sources.spec(configured(server, "token_env: SITE_TOKEN"), "site")


def test_readers_by_glob_are_within_the_ceiling_of_the_source(configured):
    with SiteServer(handbook()) as server:
        rules = 'readers: [everyone], readers_by: [{glob: "leave/**", readers: ["group:hr"]}], parallel: 3'
        spec = sources.spec(configured(server, rules), "site")
        readers = {item.id.removeprefix(server.url): item.readers for item in spec.connector.list()}
    assert readers["/leave/parental"] == ("group:hr",)
    assert readers["/travel"] == ("everyone",)
    assert spec.ceiling == {"everyone", "group:hr"}
    assert spec.fetchers == 3
