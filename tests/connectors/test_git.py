import base64
import gc
import os
import stat
import threading

import pytest
from faults import Faults
from git_server import Clone, GitServer
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import (
    AccessDenied,
    AddressRefused,
    SourceMisconfigured,
    SourceUnavailable,
    UnreadableDocument,
)
from connectors.git import Git, Wanted
from connectors.git_history import History
from connectors.git_process import Repository
from connectors.git_remote import Remote, is_remote
from connectors.globs import globs, selection
from connectors.outbound import Outbound
from connectors.retrying import Patience
from connectors.testing import ConnectorContract

LINK = "https://code.example/p/blob/{commit}/{path}#L{line}"


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path / "clone")


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def wanted(*, ref="HEAD", link=None, max_bytes=10**6, **choice):
    return Wanted(selection(["everyone"], **choice), ref, link, max_bytes)


def source(clone, *, state=None, **how):
    return Git(clone.path, wanted(**how), state=state)


def read(git):
    return {item.id: git.fetch(item).data for item in list(git.list())}


def told(git):
    return {
        item.id: (raw := git.fetch(item)).author and (raw.author, raw.modified) for item in list(git.list())
    }


def reason_of(git, item):
    with pytest.raises(UnreadableDocument) as caught:
        git.fetch(item)
    assert caught.value.hint
    return caught.value.reason


class TestGitContract(ConnectorContract):
    @pytest.fixture(autouse=True)
    def _source(self, clone, state):
        self.clone, self.state = clone, state
        clone.commit(
            {
                "a.txt": "a",
                "sub/b.md": "b",
                "sub/e\u0301.txt": "c",
                b"no\xff.txt": "d",
                "large.txt": "0" * 2000,
            }
        )

    def connector(self):
        return source(self.clone, state=self.state, max_bytes=1000, link=LINK)


def test_what_is_tracked_at_the_ref_is_listed_and_nothing_else(clone):
    clone.commit({"a.txt": "one", "b/c.md": "two", ".github/x.yml": "hidden", "b/.d": "hidden"})
    clone.git("tag", "v1")
    clone.commit({"a.txt": "three", "new.txt": "four"})
    clone.write("untracked.txt", "five")
    clone.write("a.txt", "changed and not committed")
    assert read(source(clone)) == {"a.txt": b"three", "b/c.md": b"two", "new.txt": b"four"}
    assert read(source(clone, ref="v1")) == {"a.txt": b"one", "b/c.md": b"two"}
    assert read(source(clone, ref="refs/heads/main", include=["*.txt"], exclude=["new*"])) == {
        "a.txt": b"three"
    }
    assert read(source(clone, ref=clone.git("rev-parse", "v1^{commit}"))) == {
        "a.txt": b"one",
        "b/c.md": b"two",
    }


def test_a_fingerprint_changes_with_the_file_alone(clone):
    clone.commit({"a.txt": "one", "b.txt": "two"})
    before = {item.id: item for item in source(clone).list()}
    clone.commit({"b.txt": "three"})
    after = {item.id: item for item in source(clone).list()}
    assert after["a.txt"] == before["a.txt"]
    assert after["b.txt"].fingerprint != before["b.txt"].fingerprint
    clone.commit({"b.txt": "two"})
    assert {item.id: item for item in source(clone).list()} == before


def test_readers_stand_by_globs(clone):
    clone.commit({"public/a.txt": "a", "b.txt": "b"})
    rules = [(globs(["public/**"])[0], ("everyone",))]
    git = Git(clone.path, Wanted(selection(["group:dev"], readers_by=rules)))
    assert {item.id: item.readers for item in git.list()} == {
        "public/a.txt": ("everyone",),
        "b.txt": ("group:dev",),
    }


def test_links_name_the_commit_and_the_path_and_leave_the_line_open(clone):
    commit = clone.commit({"a b/ü#?{line}.md": "text"})
    git = source(clone, link=LINK)
    (item,) = git.list()
    assert (
        git.fetch(item).link
        == f"https://code.example/p/blob/{commit}/a%20b/%C3%BC%23%3F%7Bline%7D.md#L{{line}}"
    )
    assert source(clone).fetch(item).link is None


@pytest.mark.parametrize(
    "link",
    [
        "https://h/{branch}",
        "javascript:{path}",
        "https://h/{path",
        "//h/{path}",
        "https://h/ {path}",
        "https://{path}/",
        "https:///{path}",
    ],
)
def test_a_link_that_is_no_template_is_refused(clone, link):
    with pytest.raises(SourceMisconfigured, match="link"):
        source(clone, link=link)


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "-x",
        "--upload-pack=touch x",
        "a..b",
        "a b",
        "a~1",
        "a^",
        "a:b",
        "x@{1}",
        "@",
        "a\nb",
        "a*",
        "a[b",
        "a\\b",
        "/a",
        "a/",
        "a//b",
        "a.lock",
        ".a",
        "b/.a",
        "a.",
        "a\x7f",
    ],
)
def test_a_ref_that_is_none_is_refused(clone, ref):
    with pytest.raises(SourceMisconfigured, match="ref"):
        source(clone, ref=ref)


def test_a_ref_that_is_not_there_and_a_folder_that_is_no_repository_are_mistakes(clone, tmp_path):
    with pytest.raises(SourceMisconfigured, match="no ref"):
        list(source(clone).list())
    clone.commit({"sub/a.txt": "a"})
    with pytest.raises(SourceMisconfigured, match="no ref absent"):
        list(source(clone, ref="absent").list())
    for path in (clone.path / "sub", tmp_path):
        with pytest.raises(SourceMisconfigured, match="no git repository"):
            list(Git(path, wanted()).list())
    with pytest.raises(SourceUnavailable):
        list(Git(tmp_path / "absent", wanted()).list())
    with pytest.raises((SourceMisconfigured, SourceUnavailable)):
        list(Git(clone.path / "sub/a.txt", wanted()).list())


def test_submodules_and_lfs_pointers_are_reported_and_links_left_out(clone, tmp_path):
    other = Clone(tmp_path / "other")
    commit = other.commit({"a.txt": "a"})
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    clone.commit({"a.txt": "a", "big.bin": pointer, "large.txt": "0" * 101})
    (clone.path / "link.txt").symlink_to("a.txt")
    clone.git("update-index", "--add", "--cacheinfo", f"160000,{commit},libs/other")
    clone.git("add", "link.txt")
    clone.git("commit", "-qm", "x")
    git = source(clone, max_bytes=100)
    items = {item.id: item for item in git.list()}
    assert set(items) == {"a.txt", "big.bin", "large.txt", "libs/other"}
    assert reason_of(git, items["libs/other"]) == "submodule"
    assert reason_of(git, items["big.bin"]) == "lfs_pointer"
    assert reason_of(git, items["large.txt"]) == "too_large"


def test_names_that_meet_after_nfc_all_survive(clone):
    names = [
        b"caf\xc3\xa9.txt",
        b"cafe\xcc\x81.txt",
        b"caf\xe9.txt",
        b"caf%E9.txt",
        b"line\nfeed.txt",
        b"\nfirst.txt",
    ]
    clone.commit({name: name for name in names}, author="Zoë")
    found = read(source(clone))
    assert sorted(found.values()) == sorted(names)
    assert found["café.txt"] == names[0]
    assert found["caf%E9.txt"] == names[3]
    assert set(told(source(clone)).values()) == {("Zoë", "2026-01-01T00:01:00Z")}


def test_the_last_author_and_date_of_each_file(clone, state):
    clone.commit({"a.txt": "one", "b.txt": "one"}, author="Mia")
    clone.commit({"b.txt": "two"}, author="Ben")
    assert told(source(clone, state=state)) == {
        "a.txt": ("Mia", "2026-01-01T00:01:00Z"),
        "b.txt": ("Ben", "2026-01-01T00:02:00Z"),
    }
    clone.git("checkout", "-qb", "side")
    clone.commit({"a.txt": "side"}, author="Zoe")
    clone.git("checkout", "-q", "main")
    clone.commit({"c.txt": "main"}, author="Tom")
    clone.git("merge", "-q", "--no-edit", "side", author="Merger")
    expected = {
        "a.txt": ("Zoe", "2026-01-01T00:03:00Z"),
        "b.txt": ("Ben", "2026-01-01T00:02:00Z"),
        "c.txt": ("Tom", "2026-01-01T00:04:00Z"),
    }
    assert told(source(clone, state=state)) == expected
    assert told(source(clone)) == expected


def test_a_merge_is_the_author_of_what_it_mended(clone):
    clone.commit({"a.txt": "one"})
    clone.git("checkout", "-qb", "side")
    clone.commit({"a.txt": "side"})
    clone.git("checkout", "-q", "main")
    clone.commit({"a.txt": "main"})
    clone.git("merge", "-q", "side", fails=True)
    clone.commit({"a.txt": "both"}, author="Merger")
    assert told(source(clone))["a.txt"][0] == "Merger"


def test_lost_or_broken_state_costs_time_only(clone, state):
    clone.commit({"a.txt": "one"})
    expected = told(source(clone, state=state))
    kept = state / "changes.json"
    assert kept.exists()
    for broken in (
        b"",
        b"{",
        b"[]",
        b'{"format": 1}',
        b'{"format": 1, "commit": "x", "paths": []}',
        b'{"format":1,"commit":"0000","paths":{}}',
    ):
        kept.write_bytes(broken)
        assert told(source(clone, state=state)) == expected
    kept.unlink()
    assert told(source(clone, state=state)) == expected


def test_several_threads_read_at_once(clone):
    clone.commit({f"{n}.txt": f"text {n}" * 1000 for n in range(20)})
    git = source(clone)
    items = list(git.list())
    results = {}
    threads = [
        threading.Thread(target=lambda i=i: results.__setitem__(i.id, git.fetch(i).data)) for i in items
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {f"{n}.txt": (f"text {n}" * 1000).encode() for n in range(20)}


def test_git_that_is_killed_starts_again_and_none_stays(clone):
    clone.commit({"a.txt": "a"})
    git = source(clone)
    (item,) = git.list()
    git.fetch(item)
    process = git._blobs._process
    process.kill()
    process.wait()
    with pytest.raises(SourceUnavailable):
        git.fetch(item)
    assert git.fetch(item).data == b"a"
    process = git._blobs._process
    del git
    gc.collect()
    assert process.returncode is not None


def test_a_run_that_takes_too_long_or_writes_too_much_is_ended(clone):
    clone.commit({"a.txt": "a"})
    reading, writing = os.pipe()
    with (
        os.fdopen(writing, "wb"),
        os.fdopen(reading, "rb") as silent,
        pytest.raises(SourceUnavailable, match="seconds"),
        Repository(clone.path, timeout=0.2)._run(["cat-file", "--batch"], silent) as process,
    ):
        assert process.stdout.read() == b""
    with pytest.raises(SourceUnavailable, match="bytes"):
        Repository(clone.path).output("rev-parse", "HEAD", most=5)


# ---- what a repository may not do ----


@pytest.fixture
def trap(tmp_path):
    """A program that leaves a mark when it is run."""
    mark = tmp_path / "pwned"
    program = tmp_path / "trap.sh"
    program.write_text(f"#!/bin/sh\necho run >> {mark}\ncat\n")
    program.chmod(0o755)
    return program, mark


def arm(clone, program, inner):
    """Write into a repository's configuration all that would have git run a program."""
    for name in (
        "post-checkout",
        "reference-transaction",
        "post-index-change",
        "pre-auto-gc",
        "fsmonitor-watchman",
    ):
        hook = clone.path / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(program.read_text())
        hook.chmod(0o755)
    inner.write_text(
        f"""
[core]
    fsmonitor = {program}
    sshCommand = {program}
    hooksPath = {clone.path}/.git/hooks
    pager = {program}
    editor = {program}
    askPass = {program}
    gitProxy = {program}
    alternateRefsCommand = {program}
    attributesFile = {clone.path}/.gitattributes
[filter "x"]
    smudge = {program}
    clean = {program}
    process = {program}
    required = true
[diff "x"]
    textconv = {program}
    command = {program}
[diff]
    external = {program}
[log]
    showSignature = true
[gpg]
    program = {program}
[credential]
    helper = !{program}
[alias]
    ls-tree = !{program}
    rev-parse = !{program}
[uploadpack]
    packObjectsHook = {program}
[protocol]
    allow = always
[protocol "ext"]
    allow = always
[remote "evil"]
    url = ext::{program}
    uploadpack = {program}
    promisor = true
    partialclonefilter = blob:none
[extensions]
    partialClone = evil
"""
    )
    with (clone.path / ".git/config").open("a") as file:
        file.write(f"[core]\n\trepositoryformatversion = 1\n[include]\n\tpath = {inner}\n")
        file.write(inner.read_text())


def test_a_repository_runs_nothing(clone, tmp_path, trap):
    program, mark = trap
    clone.commit({".gitattributes": "* filter=x diff=x\n", "a.txt": "one\r\n", "gone.txt": "lost"})
    gone = clone.git("rev-parse", "HEAD:gone.txt")
    arm(clone, program, tmp_path / "inner")
    blob = clone.path / ".git/objects" / gone[:2] / gone[2:]
    blob.chmod(stat.S_IRWXU)
    blob.unlink()
    git = source(clone, state=None)
    items = {item.id: item for item in git.list()}
    assert git.fetch(items["a.txt"]).data == b"one\r\n"
    assert reason_of(git, items["gone.txt"]) == "unreachable"
    assert git.fetch(items["a.txt"]).author == "Mia"
    assert not mark.exists()


def test_a_repository_that_is_fetched_from_runs_nothing(clone, tmp_path, trap, state):
    program, mark = trap
    clone.commit({".gitattributes": "* filter=x diff=x\n", "a.txt": "one"})
    arm(clone, program, tmp_path / "inner")
    git = Git(remote(f"file://{clone.path}"), wanted(), state=state)
    assert read(git) == {"a.txt": b"one"}
    assert not mark.exists()


def test_nothing_around_decides(clone, monkeypatch, tmp_path, trap):
    program, mark = trap
    clone.commit({"a.txt": "one"})
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f"[core]\n\tfsmonitor = {program}\n[alias]\n\tx = y\n[broken\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_SSH_COMMAND", str(program))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(program))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(program))
    assert read(source(clone)) == {"a.txt": b"one"}
    assert not mark.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_somebody_else_is_read(clone):
    clone.commit({"a.txt": "one"})
    for path in (clone.path, clone.path / ".git"):
        os.chown(path, 65534, 65534)
    assert read(source(clone)) == {"a.txt": b"one"}


@pytest.mark.parametrize(
    "path",
    [
        "ext::sh -c touch% x",
        "fd::17",
        "git://host/p",
        "http://host/p",
        "ftp://host/p",
        "https://me:hunter2@host/p",
        "https://token@host/p",
        "https://-x/p",
        "https://host/../p",
        "https://host/p?x=1",
        "ssh://-oProxyCommand=x/p",
        "ssh://a@-oProxyCommand=x/p",
        "ssh://host:x/p",
        "-oProxyCommand=x:p",
        "--upload-pack=x",
        "a\nb",
        "file://host/p",
        "x://",
    ],
)
def test_other_addresses_are_refused(path):
    with pytest.raises(SourceMisconfigured) as caught:
        is_remote(path)
    assert caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_paths_are_told_from_addresses():
    assert not any(map(is_remote, ["code", "/srv/code", "./a:b", "../x", "C/d", "a b"]))
    assert all(
        map(
            is_remote,
            [
                "https://h.example/p.git",
                "https://h:8443/p",
                "ssh://git@h/p",
                "ssh://h:22/p",
                "git@h:p/q.git",
                "file:///srv/p",
            ],
        )
    )


# ---- remotes ----


def remote(url, *, token=None, server=None, allow=("127.0.0.1", "::1"), tries=5, **how):
    return Remote(
        url,
        Outbound(allow=allow, **how),
        token,
        authority=server.certificate if server else None,
        patience=Patience(tries=tries),
        sleep=lambda _: None,
        timeout=60,
    )


@pytest.fixture
def served(clone, tmp_path):
    clone.commit({"a.txt": "one", "b.txt": "two"})
    with GitServer(clone.path.parent, tmp_path) as server:
        yield server


def mirrored(server, state, **how):
    return Git(remote(server.url_of("clone/.git"), server=server, **how), wanted(), state=state)


def test_a_remote_is_mirrored_and_fetched_anew(clone, served, state):
    assert read(mirrored(served, state)) == {"a.txt": b"one", "b.txt": b"two"}
    first = len(served.asked)
    assert told(mirrored(served, state))["a.txt"] == ("Mia", "2026-01-01T00:01:00Z")
    # Nothing is new: the refs are asked for, no objects.
    assert len(served.asked) - first < first
    clone.commit({"b.txt": "three", "c.txt": "four"}, author="Ben")
    git = mirrored(served, state)
    assert read(git) == {"a.txt": b"one", "b.txt": b"three", "c.txt": b"four"}
    assert told(git)["c.txt"][0] == "Ben"


def test_a_remote_whose_history_was_rewritten(clone, served, state):
    clone.commit({"b.txt": "bad"}, author="Ben")
    told(mirrored(served, state))
    clone.git("reset", "-q", "--hard", "HEAD~1")
    clone.git("commit", "-q", "--amend", "-m", "other", author="Zoe")
    git = mirrored(served, state)
    assert read(git) == {"a.txt": b"one", "b.txt": b"two"}
    assert told(git) == told(source(clone))


def test_a_mirror_that_is_lost_locked_or_damaged_is_made_anew(clone, served, state):
    expected = read(mirrored(served, state))
    folder = state / "mirror.git"
    (folder / "refs/ragflow/tip.lock").touch()
    assert read(mirrored(served, state)) == expected
    for pack in folder.glob("objects/**/*"):
        if pack.is_file():
            pack.chmod(stat.S_IRWXU)
            pack.write_bytes(b"")
    clone.commit({"c.txt": "new"})
    assert read(mirrored(served, state)) == {**expected, "c.txt": b"new"}
    (folder / "HEAD").unlink()
    assert read(mirrored(served, state)) == {**expected, "c.txt": b"new"}


def test_a_token_opens_and_stands_nowhere(clone, tmp_path, state):
    clone.commit({"a.txt": "one"})
    token = "token-of-the-test"
    basic = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
    with GitServer(clone.path.parent, tmp_path, only=basic) as server:
        assert read(mirrored(server, state, token=token)) == {"a.txt": b"one"}
        for path in state.rglob("*"):
            if path.is_file():
                assert token.encode() not in path.read_bytes()
                assert basic.encode() not in path.read_bytes()
        for wrong in (None, "another"):
            with pytest.raises(AccessDenied) as caught:
                list(mirrored(server, state, token=wrong).list())
            assert "another" not in f"{caught.value}{caught.value.hint}{caught.value!r}"
        assert token not in repr(remote("https://h/p", token=token))


def test_a_token_follows_no_redirect(clone, served, tmp_path, state):
    (tmp_path / "other").mkdir()
    with GitServer(clone.path.parent, tmp_path / "other") as other:
        served.redirect = other.url_of("clone/.git/info/refs?service=git-upload-pack")
        with pytest.raises(SourceUnavailable):
            list(mirrored(served, state, token="secret", tries=1).list())
        assert other.asked == []


def test_hosts_that_are_not_public_are_refused(served, state):
    with pytest.raises(AddressRefused):
        list(mirrored(served, state, allow=()).list())
    with pytest.raises(AddressRefused):
        list(Git(remote("ssh://git@localhost:1/p", allow=()), wanted(), state=state).list())
    assert served.asked == []


def test_git_connects_to_the_address_that_was_checked(served, state):
    # The name resolves elsewhere for everybody else: only the checked address leads to the server.
    url = served.url_of("clone/.git").replace("localhost", "code.invalid")
    there = remote(url, server=served, resolve=lambda *_: ["127.0.0.1"], tries=1)
    with pytest.raises(SourceUnavailable, match=r"code\.invalid"):
        list(Git(there, wanted(), state=state).list())
    assert served.accepted == 1


def test_a_remote_that_is_not_there_or_has_no_such_ref(served, state):
    with pytest.raises(SourceMisconfigured, match="no repository"):
        list(Git(remote(served.url_of("absent"), server=served), wanted(), state=state).list())
    with pytest.raises(SourceMisconfigured, match="no ref"):
        list(
            Git(remote(served.url_of("clone/.git"), server=served), wanted(ref="absent"), state=state).list()
        )
    with pytest.raises(SourceMisconfigured, match="no repository"):
        list(Git(remote("file:///absent/repository"), wanted(), state=state).list())
    served.certificate = None
    with pytest.raises(SourceUnavailable, match="certificate"):
        list(mirrored(served, state, tries=1).list())


def test_under_faults_the_same_is_read(clone, tmp_path, rounds):
    clone.commit({f"{n}.txt": f"text {n}" for n in range(20)})
    injected = 0
    for seed in range(rounds(fast=3, soak=20)):
        state = tmp_path / f"state-{seed}"
        folder = tmp_path / f"server-{seed}"
        state.mkdir()
        folder.mkdir()
        faults = Faults(0.3, seed=seed, stall=0.1)
        with GitServer(clone.path.parent, folder, faults=faults) as server:
            for _ in range(3):
                clone.commit({"0.txt": f"round {seed} {_}"})
                assert read(mirrored(server, state, tries=10)) == read(source(clone))
        injected += sum(faults.injected.values())
    assert injected


# ---- histories ----

NAMES = ["a.txt", "b.txt", "d/c.txt", "d/e.txt"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.integers(0, 5)),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just(0)),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.integers(0, 3)),
        st.tuples(st.just("branch"), st.just(""), st.just(0)),
        st.tuples(st.just("merge"), st.sampled_from(["ort", "ours"]), st.just(0)),
        st.tuples(st.just("rewrite"), st.just(""), st.integers(1, 3)),
        st.tuples(st.just("back"), st.just(""), st.integers(1, 500)),
        st.tuples(st.just("sync"), st.just(""), st.just(0)),
    ),
    min_size=4,
    max_size=14,
)


def step(clone, what, name, number, authors):
    author = next(authors)
    tracked = clone.git("ls-files", "-z").split("\0")
    if what == "write":
        clone.commit({name: f"text {number}"}, author=author)
    elif what == "delete" and name in tracked:
        clone.commit({name: None}, author=author)
    elif what == "rename" and name in tracked and NAMES[number] not in tracked:
        (clone.path / NAMES[number]).parent.mkdir(exist_ok=True)
        clone.git("mv", name, NAMES[number])
        clone.commit({}, author=author)
    elif what == "branch":
        clone.git("branch", "--force", "side")
        clone.git("checkout", "-q", "side")
        clone.commit({"d/e.txt": author}, author=author)
        clone.git("checkout", "-q", "main")
    elif what == "merge" and clone.git("branch", "--list", "side"):
        clone.clock += 60
        clone.git("merge", "-q", "--no-edit", "-s", name, "side", author=author, fails=True)
        if (clone.path / ".git/MERGE_HEAD").exists():
            clone.commit({"a.txt": f"merged {author}"}, author=author)
    elif what == "rewrite":
        clone.git("reset", "-q", "--hard", f"HEAD~{number}", fails=True)
        clone.commit({"b.txt": author}, author=author)
    elif what == "back":
        clone.clock -= number


@settings(max_examples=12)
@given(STEPS)
def test_whatever_happened_walking_bit_by_bit_is_walking_at_once(tmp_path_factory, steps):
    root = tmp_path_factory.mktemp("history")
    clone = Clone(root / "clone")
    state = root / "state"
    state.mkdir()
    authors = (f"author {number}" for number in range(10_000))
    clone.commit({"a.txt": "first"}, author=next(authors))
    mirror = Git(remote(f"file://{clone.path}"), wanted(), state=state)
    for what, name, number in [*steps, ("sync", "", 0)]:
        step(clone, what, name, number, authors)
        if what != "sync":
            continue
        local = source(clone)
        assert read(mirror) == read(local)
        assert told(mirror) == told(local)
        bit_by_bit = History(Repository(clone.path), root / "kept.json").upto(clone.git("rev-parse", "HEAD"))
        assert bit_by_bit == History(Repository(clone.path), None).upto(clone.git("rev-parse", "HEAD"))
