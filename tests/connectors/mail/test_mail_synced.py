"""Mail from a real server in an index: kept in step, also over a broken network, and read by participants."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from mailboxes import Mailbox, message
from tcp_faults import Proxy

from connectors.mail.mbox import Mbox
from connectors.mail.source import Mail, Rules
from indexes import ingest
from indexes.embedding import Embedder, Vectors
from indexes.plan import SourceSpec
from indexes.query import Query
from indexes.testing import World

OURS = Rules((), participants=True)


def spec(source: Mail, fetchers: int = 1) -> SourceSpec:
    return SourceSpec("post", "mail", source, None, fetchers)


def state(world: World) -> Mapping[str, object]:
    """What the store holds of the source: all that a sync must get right."""
    known = ingest.known_items(world.store, "post")
    return {one.item: (one.fingerprint, one.raw_digest, one.readers, one.unreadable) for one in known}


def found(world: World, question: str, *readers: str) -> set[str]:
    hits = world.index().search(Query(question, frozenset(readers))).hits
    return {hit.document for hit in hits}


def test_deleted_mail_is_gone_added_mail_is_found_and_participants_alone_read(
    mailbox: Mailbox, new_world: Callable[[], World]
) -> None:
    world = new_world()
    mailbox.append(
        message(1, body="The vault opens at noon."),
        message(2, body="Lunch is at one.", to="eve@example.org"),
        message(3, body="The vault closes at six.", to='"everyone" <bob@example.org>, undisclosed:;'),
    )
    (report,) = world.run([spec(mailbox.source(rules=OURS))]).sources.values()
    assert (report.status, report.added) == ("ok", 3)
    both = {"post/m1@example.org", "post/m3@example.org"}
    assert found(world, "vault", "user:bob@example.org") >= both
    assert found(world, "vault", "everyone", "user:zoe@example.org", "group:staff") == set()
    assert not found(world, "vault", "user:eve@example.org") & both
    mailbox.flag("1", r"\Deleted", expunge=True)
    mailbox.append(message(4, body="A second vault was built."))
    (report,) = world.run([spec(mailbox.source(rules=OURS))]).sources.values()
    assert (report.added, report.deleted, report.unchanged) == (1, 1, 2)
    now = found(world, "vault", "user:bob@example.org", "user:mia@example.org")
    assert "post/m1@example.org" not in now
    assert "post/m4@example.org" in now
    assert "post/m1@example.org" not in state(world)


def test_a_change_of_access_embeds_and_fetches_nothing(
    mailbox: Mailbox, new_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new_world()
    embedded: list[str] = []
    real = type(world.embedder).embed

    def counted(self: Embedder, texts: Sequence[str], *, queries: bool = False) -> Vectors:
        if not queries:
            embedded.extend(texts)
        return real(self, texts, queries=queries)

    monkeypatch.setattr(type(world.embedder), "embed", counted)
    mailbox.append(*(message(number, body=f"The vault number {number} is safe.") for number in range(4)))
    with Proxy(mailbox.server.port) as proxy:
        world.run([spec(mailbox.source(rules=OURS, port=proxy.port))])
        assert len(embedded) == 4
        proxy.lines.clear()
        wider = Rules(("group:audit",), participants=True)
        (report,) = world.run([spec(mailbox.source(rules=wider, port=proxy.port))]).sources.values()
        assert proxy.count("FETCH") == 0
    assert (report.access_changed, report.unchanged, report.updated) == (4, 4, 0)
    assert len(embedded) == 4
    assert len(found(world, "vault", "group:audit")) == 4
    world.run([spec(mailbox.source(rules=Rules(())))])
    assert found(world, "vault", "group:audit", "user:bob@example.org", "everyone") == set()


def test_members_inherit_the_readers_of_their_mail(tmp_path: Path, new_world: Callable[[], World]) -> None:
    body = (
        "--x\r\nContent-Type: text/plain\r\n\r\nSee the plan.\r\n--x\r\nContent-Type: text/plain\r\n"
        'Content-Disposition: attachment; filename="plan.txt"\r\n\r\nThe vault is moved in May.\r\n--x--'
    )
    data = message(1, body=body, MIME_Version="1.0", Content_Type="multipart/mixed; boundary=x")
    (tmp_path / "m").write_bytes(b"From x Mon Nov  2 10:00:00 2026\n" + data)
    world = new_world()
    world.run([spec(Mail(Mbox(tmp_path / "m"), OURS))])
    assert "post/m1@example.org!/plan.txt" in found(world, "vault", "user:bob@example.org")
    assert found(world, "vault", "everyone") == set()


@pytest.mark.parametrize("fetchers", [1, 4])
def test_a_network_that_breaks_leads_to_the_same_state(
    mailbox: Mailbox, new_world: Callable[[], World], rounds: Callable[..., int], fetchers: int
) -> None:
    mailbox.create("Archive")
    mailbox.append(*(message(number, body=f"The vault {number} is safe. " * 20) for number in range(20)))
    mailbox.append(*(message(number) for number in range(15, 25)), folder="Archive")
    worlds = [new_world() for _ in range(rounds(fast=3, soak=20))]
    injected = 0
    for change in (False, True):
        if change:
            mailbox.flag("3,9,17", r"\Deleted", expunge=True)
            mailbox.append(
                *(message(number, body=f"The new vault {number} is safe.") for number in range(60, 65))
            )
        calm = new_world()
        calm.run([spec(mailbox.source("INBOX", "Archive", rules=OURS, keep=False))])
        for seed, world in enumerate(worlds):
            with Proxy(mailbox.server.port, rate=0.1, seed=seed) as proxy:
                _run_until_done(world, mailbox, proxy.port, fetchers)
                injected += sum(proxy.injected.values())
            assert state(world) == state(calm)
    assert injected >= len(worlds)


def _run_until_done(world: World, mailbox: Mailbox, port: int, fetchers: int) -> None:
    """Sync until a run has nothing left to do, as a timer would; never may a run lose what was there."""
    before: set[str] = set()
    for _ in range(5):
        source = mailbox.source("INBOX", "Archive", rules=OURS, port=port, timeout=0.4)
        (report,) = world.run([spec(source, fetchers)]).sources.values()
        source.close()
        now = set(state(world))
        assert report.status == "ok" or now >= before
        if report.status == "ok" and report.added == report.updated == 0:
            return
        before = now
    raise AssertionError(f"never done: {report}")
