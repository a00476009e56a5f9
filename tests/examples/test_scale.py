"""The compose files of docs/scale.md say what matters. They are read here and not run: that takes Docker."""

import re

import pytest
import yaml

from indexes.qdrant.server import OLDEST
from ragflow.index_section import Hnsw, Qdrant

FILES = ("compose.yaml", "cluster.yaml")


@pytest.fixture(params=FILES)
def services(request, repository):
    text = (repository / "examples" / "scale" / request.param).read_text()
    return yaml.safe_load(text)["services"]


def test_the_image_is_pinned_and_new_enough(services):
    for one in services.values():
        name, _, tag = one["image"].partition(":")
        assert name == "qdrant/qdrant"
        assert tuple(int(part) for part in tag.removeprefix("v").split(".")[:2]) >= OLDEST


def test_no_node_starts_without_a_key_and_none_calls_home(services):
    for one in services.values():
        assert one["environment"]["QDRANT__SERVICE__API_KEY"].startswith("${QDRANT_API_KEY:?")
        assert one["environment"]["QDRANT__TELEMETRY_DISABLED"] == "true"


def test_what_a_node_holds_outlives_its_container(services):
    held = [volume for one in services.values() for volume in one["volumes"]]
    assert all(volume.endswith(":/qdrant/storage") for volume in held)
    assert len(set(held)) == len(services)


def test_only_this_machine_reaches_them(services):
    ports = [port for one in services.values() for port in one["ports"]]
    assert all(port.startswith("127.0.0.1:") and port.endswith(":6333") for port in ports)
    assert len(set(ports)) == len(services)


def test_health_is_asked_of_the_server(services):
    assert all("/readyz" in one["healthcheck"]["test"][-1] for one in services.values())


def test_three_nodes_find_each_other(repository):
    text = (repository / "examples" / "scale" / "cluster.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    assert len(services) == 3
    first, *others = sorted(services)
    for name, one in services.items():
        assert one["environment"]["QDRANT__CLUSTER__ENABLED"] == "true"
        assert one["command"][:3] == ["./qdrant", "--uri", f"http://{name}:6335"]
    assert "--bootstrap" not in services[first]["command"]
    for name in others:
        assert services[name]["command"][3:] == ["--bootstrap", f"http://{first}:6335"]
        assert services[name]["depends_on"] == {first: {"condition": "service_healthy"}}


def test_the_page_shows_both_files(repository):
    page = (repository / "docs" / "scale.md").read_text(encoding="utf-8")
    assert all(f"examples/scale/{name}" in page for name in FILES)


def test_the_page_names_every_key_of_the_section(repository):
    page = (repository / "docs" / "scale.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = set(re.findall(r"[a-z_]+", " ".join(rows)))
    keys = {*Qdrant.model_fields, *Hnsw.model_fields}
    assert keys <= named


def test_the_arithmetic_of_the_page_is_right(repository):
    page = (repository / "docs" / "scale.md").read_text(encoding="utf-8")
    vector, copy, graph, id_ = 384 * 4, 384, round(16 * 2 * 4 * 1.2), 52
    sparse, sparse_index, payload, payload_index = 39 * 4, round(39 * 4 * 1.5), round(320 * 1.5), 117 * 2
    pinned = sparse_index + payload_index + id_
    memory, lean = vector + graph + pinned, copy + payload_index + id_
    disk = vector + graph + sparse + payload + pinned
    for bytes_ in (memory, lean, disk, disk + copy):
        assert f"{bytes_:,} · 1.2 = {bytes_ * 1.2:,.0f}" in page
    for millions in (1, 10, 50):
        [row] = [line for line in page.splitlines() if line.startswith(f"| {millions} million |")]
        told = [float(one) for one in re.findall(r"\d+(?:\.\d+)?", row)][1:]
        wanted = [millions * 1.2 * each / 1000 for each in (memory, disk, lean, disk + copy)]
        assert told[:4] == pytest.approx(wanted, rel=0.02)
