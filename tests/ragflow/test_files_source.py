"""A `files` source of ragflow.yaml -> the connector that reads it."""

import zipfile

import pytest
from bucket_server import BUCKET, KEY, SECRET, bucket_server

from connectors.errors import SourceMisconfigured
from ragflow.config import load
from ragflow.sources import spec


@pytest.fixture
def source(tmp_path):
    def make(text, **environ):
        file = tmp_path / "ragflow.yaml"
        file.write_text(f"sources:\n  s:\n    type: files\n{text}")
        return spec(load(file, environ=environ), "s")

    return make


def test_who_reads_what_and_nobody_beyond(source, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("public/a.txt", "b.txt", "c.tmp"):
            archive.writestr(name, name)
    made = source(
        f"    path: zip://{tmp_path}/a.zip\n    readers: [group:hr]\n    exclude: ['*.tmp']\n"
        "    readers_by: [{glob: 'public/**', readers: [everyone, user:mia]}]\n"
    )
    assert made.ceiling == {"group:hr", "everyone", "user:mia"}
    assert {item.id: item.readers for item in made.connector.list()} == {
        "public/a.txt": ("everyone", "user:mia"),
        "b.txt": ("group:hr",),
    }


def test_a_bucket_is_reached_with_what_the_named_variables_hold(source, monkeypatch):
    monkeypatch.setenv("BUCKET_KEY", KEY)
    monkeypatch.setenv("BUCKET_SECRET", SECRET)
    with bucket_server() as server:
        server.put("hr/a.txt", "text")
        made = source(
            f"    path: s3://{BUCKET}/hr\n    readers: [everyone]\n"
            f"    storage: {{endpoint: '{server.url}', key_env: BUCKET_KEY, secret_env: BUCKET_SECRET}}\n"
            "outbound: {allow: [127.0.0.1]}\n"
        )
        (item,) = made.connector.list()
        assert made.connector.fetch(item).data == b"text"
        monkeypatch.delenv("BUCKET_SECRET")
        unset = source(
            f"    path: s3://{BUCKET}/hr\n    storage: {{key_env: BUCKET_KEY, secret_env: BUCKET_SECRET}}\n"
        )
        with pytest.raises(SourceMisconfigured, match="credentials"):
            list(unset.connector.list())
