"""HTTP actions: a request as data; what a server does is a result, or an error that says what is known."""

import json

import pytest
from tool_parts import DeskServer, Made

from ragflow.errors import ConfigError
from ragflow.tools.declared import State
from ragflow.tools.webhook import signature
from ragflow.workflows.contracts import Suspended
from ragflow.workflows.errors import ToolFailed, ToolRefused


@pytest.fixture
def server():
    with DeskServer() as running:
        yield running


def made(folder, url, *, effect="write", environ=None, **http):
    tool = {
        "effect": effect,
        "roles": ["everyone"],
        "timeout": 0.5,
        "http": {"url": url, "arguments": {"order": {"type": "string"}}, **http},
    }
    return Made(folder, tools={"desk": tool})


def failed(workspace, **arguments):
    """What one try says that fails: no person, no recovery."""
    action = workspace.toolbox.check("desk", {"order": "A-1", **arguments}, workspace.caller, "0")
    with pytest.raises(ToolFailed) as found:
        workspace.toolbox.attempt(action, workspace.caller)
    workspace.database.close()
    return found.value


ARGUMENTS = {
    "order": {"type": "string"},
    "amount": {"type": "number", "required": False},
    "lines": {
        "type": "array",
        "items": {"type": "object", "properties": {"sku": {"type": "string"}, "n": {"type": "integer"}}},
    },
}


def test_arguments_stand_in_body_and_query_as_values_and_never_as_text(tmp_path, server):
    workspace = made(
        tmp_path,
        f"{server.url}/echo?fixed=1",
        arguments=ARGUMENTS,
        query={
            "order": {"argument": "order"},
            "none": {"argument": "amount"},
            "two": ["a", "b"],
            "yes": True,
        },
        body={
            "order": {"argument": "order"},
            "amount": {"argument": "amount"},
            "all": [{"argument": "lines"}, 1, None],
            "text": "{argument: order}",
        },
        headers={"X-Fixed": "yes"},
    )
    nasty = 'A-1","amount":9,"x":"{"argument":"lines"}&admin=1\n%0d#'
    got = workspace.call("desk", {"order": nasty, "lines": [{"sku": "x"}]})
    assert json.loads(got["body"]) == {
        "order": nasty,
        "all": [[{"sku": "x"}], 1, None],
        "text": "{argument: order}",
    }
    assert got["path"].startswith("/echo?fixed=1&order=A-1%22%2C%22amount")
    assert got["path"].endswith("&two=a&two=b&yes=true")
    assert "admin" not in dict(pair.split("=") for pair in got["path"].partition("?")[2].split("&"))
    assert got["headers"]["x-fixed"] == "yes"
    assert got["headers"]["content-type"] == "application/json"
    workspace.database.close()


def test_a_credential_comes_from_the_environment_and_is_never_seen_again(tmp_path, server, monkeypatch):
    monkeypatch.setenv("DESK_TOKEN", "s3cr3t/+value")
    workspace = made(tmp_path, f"{server.url}/echo", credential_env="DESK_TOKEN", body={})
    got = workspace.call("desk", {"order": "the token is s3cr3t/+value"})
    assert server.seen[0][2]["Authorization"] == "Bearer s3cr3t/+value"
    assert got["headers"]["authorization"] == "Bearer [secret]"
    assert "s3cr3t" not in workspace.everything()
    workspace.database.close()


def test_without_its_credential_nothing_is_sent(tmp_path, server, monkeypatch):
    monkeypatch.delenv("DESK_TOKEN", raising=False)
    error = failed(made(tmp_path, f"{server.url}/echo", credential_env="DESK_TOKEN"))
    assert (error.happened, server.seen) == (False, [])
    assert "DESK_TOKEN is not set" in str(error)


@pytest.mark.parametrize(
    ("path", "kind", "happened", "curable"),
    [
        ("reject", "rejected", False, False),
        ("nothing", "rejected", False, False),
        ("busy", "rejected", False, True),
        ("fail", "error", None, True),
        ("moved", "rejected", None, False),
        ("moved308", "rejected", False, False),
        ("half", "unreachable", None, True),
        ("hang", "time_out", None, True),
        ("big", "too_large", None, False),
        ("garbage", "garbage", True, False),
        ("surrogate", "garbage", True, False),
        ("deep", "garbage", True, False),
    ],
)
def test_a_write_that_fails_says_whether_it_may_have_happened(
    tmp_path, server, path, kind, happened, curable
):
    error = failed(made(tmp_path, f"{server.url}/{path}", body={"order": {"argument": "order"}}))
    assert (error.kind, error.happened, error.curable) == (kind, happened, curable)
    assert len(server.seen) == 1
    assert server.done == {}


@pytest.mark.parametrize("path", ["reject", "fail", "half", "hang", "big", "garbage"])
def test_a_read_that_fails_changed_nothing(tmp_path, server, path):
    assert failed(made(tmp_path, f"{server.url}/{path}", effect="read", body={})).happened is False


def test_a_read_is_tried_again_and_its_redirects_are_followed(tmp_path, server):
    server.done["None"] = {}
    workspace = made(tmp_path, f"{server.url}/moved", effect="read", method="GET")
    with pytest.raises(ToolFailed, match="404"):  # the desk knows no refund without a key
        workspace.call("desk", {"order": "A-1"})
    assert [path for _, path, *_ in server.seen] == ["/moved", "/refund"]
    tool = {"effect": "read", "roles": ["everyone"], "retries": 2, "http": {"url": f"{server.url}/fail"}}
    workspace.use(tools={"desk": tool})
    workspace.new_run(2)
    with pytest.raises(ToolFailed):
        workspace.call("desk", {})
    assert workspace.waited == [0.5, 1.0]
    assert workspace.kept[-1]["step"].tries == 3
    workspace.database.close()


def test_where_nobody_listens_nothing_happened(tmp_path):
    with DeskServer() as gone:
        url = gone.url
    error = failed(made(tmp_path, f"{url}/refund"))
    assert (error.kind, error.happened, error.curable) == ("unreachable", False, True)


def test_an_address_that_is_not_listed_is_not_reached(tmp_path, server):
    workspace = made(tmp_path, f"{server.url}/refund")
    tools = {"desk": {"effect": "write", "roles": ["everyone"], "http": {"url": f"{server.url}/refund"}}}
    workspace.use(tools=tools, outbound={"allow": []})
    with pytest.raises(ToolFailed, match="not public") as refused:
        workspace.call("desk", {})
    assert refused.value.happened is False
    assert "outbound.allow" in refused.value.hint
    assert server.accepted == 0
    workspace.database.close()


def test_an_answer_that_does_not_hold_what_is_expected_is_no_success(tmp_path, server):
    error = failed(made(tmp_path, f"{server.url}/slack", expect={"ok": True}))
    assert (error.kind, error.happened) == ("rejected", None)
    workspace = made(tmp_path / "b", f"{server.url}/slack", expect={"ok": False})
    assert workspace.call("desk", {"order": "A-1"}) == {"ok": False}
    workspace.database.close()


@pytest.mark.parametrize("path", ["garbage", "surrogate", "deep"])
def test_what_was_done_and_gave_garbage_is_not_done_again(tmp_path, server, path):
    workspace = made(tmp_path, f"{server.url}/{path}", key_header="Idempotency-Key")
    for _ in range(3):
        with pytest.raises(ToolFailed, match="no JSON"):
            workspace.call("desk", {"order": "A-1"})
    workspace.kept = workspace.kept[:1]  # the process died before the step was kept
    with pytest.raises(ToolFailed, match="no JSON"):
        workspace.call("desk", {"order": "A-1"})
    assert len(server.seen) == 1
    workspace.database.close()


def test_a_hanging_write_is_left_to_a_person_and_not_sent_again(tmp_path, server):
    workspace = made(tmp_path, f"{server.url}/hang")
    for _ in range(2):
        with pytest.raises(Suspended):
            workspace.call("desk", {"order": "A-1"})
    assert server.effects["hang"] == 1
    workspace.database.close()


def test_a_tool_is_asked_by_key_and_gives_what_it_knows(tmp_path, server):
    ask = {"url": f"{server.url}/refund?x=1"}
    workspace = made(tmp_path, f"{server.url}/refund", key_header="Idempotency-Key", ask=ask, body={})
    action = workspace.toolbox.check("desk", {"order": "A-1"}, workspace.caller, "0")
    assert workspace.toolbox.state(action) == State("not_done")
    given = workspace.toolbox.attempt(action, workspace.caller)
    assert workspace.toolbox.state(action) == State("done", given)
    workspace.use(
        tools={
            "desk": {
                "effect": "write",
                "roles": ["everyone"],
                "http": {
                    "url": f"{server.url}/refund",
                    "ask": {"url": f"{server.url}/fail"},
                    "arguments": {"order": {"type": "string"}},
                },
            }
        }
    )
    assert workspace.toolbox.state(action) == State("unknown")
    workspace.database.close()


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (
            {"type": "string", "pattern": "^A-", "minLength": 3, "maxLength": 5},
            ["A-1", "A-123"],
            ["A-", "B-1", "A-1234", 1, None],
        ),
        ({"type": "integer", "minimum": 0, "maximum": 9}, [0, 9], [-1, 10, 1.5, True, "1"]),
        ({"type": "number", "minimum": 0.5}, [0.5, 7], [0.4, "7", True, None]),
        ({"type": "boolean"}, [True, False], [1, 0, "true"]),
        ({"enum": ["a", 1, None]}, ["a", 1, None], ["b", True, 2]),
        ({"type": "string", "enum": ["a", "b"]}, ["a"], ["c", 1]),
        (
            {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2},
            [[1], [1, 2]],
            [[], [1, 2, 3], ["1"], 1],
        ),
        (
            {
                "type": "object",
                "properties": {"k": {"type": "boolean"}, "o": {"type": "string"}},
                "required": ["k"],
            },
            [{"k": True}, {"k": True, "o": "x"}],
            [{}, {"k": 1}, {"k": True, "z": 1}, []],
        ),
    ],
)
def test_arguments_are_what_their_schemas_say(tmp_path, server, schema, good, bad):
    workspace = made(
        tmp_path, f"{server.url}/echo", arguments={"schema": schema}, body={"v": {"argument": "schema"}}
    )
    for value in good:
        assert workspace.toolbox.check("desk", {"schema": value}, workspace.caller, f"{value}")
    for value in bad:
        with pytest.raises(ToolRefused) as refused:
            workspace.toolbox.check("desk", {"schema": value}, workspace.caller, f"{value}")
        assert refused.value.kind == "arguments"
    workspace.database.close()


def test_a_webhook_is_signed_and_bears_its_key(tmp_path, server, monkeypatch):
    # Secret, message and signature of the example at standardwebhooks.com.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body) == wanted
    monkeypatch.setenv("HOOK_SECRET", secret)
    tool = {
        "use": "webhook",
        "effect": "write",
        "roles": ["everyone"],
        "settings": {"url": f"{server.url}/echo", "secret_env": "HOOK_SECRET"},
    }
    workspace = Made(tmp_path, tools={"tell": tool})
    given = workspace.call("tell", {"type": "refund.done", "data": {"order": "A-1"}})
    _, _, headers, sent = server.seen[0]
    assert given == {"status": 200, "id": headers["webhook-id"]}
    assert headers["webhook-signature"] == signature(secret, given["id"], headers["webhook-timestamp"], sent)
    assert json.loads(sent) == {"type": "refund.done", "data": {"order": "A-1"}}
    assert secret not in workspace.everything()
    first, again = (workspace.toolbox.send("tell", {"type": "request.opened"}) for _ in range(2))
    assert first == again == {"status": 200, "id": server.seen[1][2]["webhook-id"]}
    workspace.database.close()


def test_a_webhook_that_is_turned_away_did_not_happen(tmp_path, server, monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "long enough")
    settings = {"url": f"{server.url}/reject", "secret_env": "HOOK_SECRET"}
    tool = {"use": "webhook", "effect": "write", "roles": ["everyone"], "settings": settings}
    workspace = Made(tmp_path, tools={"tell": tool})
    with pytest.raises(ToolFailed) as refused:
        workspace.call("tell", {"type": "x"})
    assert refused.value.happened is False
    monkeypatch.delenv("HOOK_SECRET")
    workspace.new_run(2)
    with pytest.raises(ToolFailed, match="HOOK_SECRET is not set"):
        workspace.call("tell", {"type": "x"})
    workspace.database.close()


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ({"http": {"url": "ftp://x/"}, "effect": "write"}, "no plain http or https address"),
        ({"http": {"url": "http://x/", "ask": {"url": "/refund"}}, "effect": "write"}, "no plain http"),
        ({"http": {"url": "http://x/"}}, "sends a POST: say effect: write"),
        ({"http": {"url": "http://x/{order}"}, "effect": "write"}, "url is fixed, no argument goes into it"),
        ({"http": {"url": "http://x/", "method": "GET", "body": {}}}, "a GET has no body"),
        (
            {"http": {"url": "http://x/", "arguments": {"a": {"type": "text"}}}, "effect": "read"},
            "the type of a is",
        ),
        (
            {
                "http": {"url": "http://x/", "arguments": {"a": {"type": "string", "format": "date"}}},
                "effect": "read",
            },
            '"format" in the schema of a',
        ),
        (
            {
                "http": {"url": "http://x/", "arguments": {"a": {"type": "string", "pattern": "("}}},
                "effect": "read",
            },
            "unclosed group",
        ),
        (
            {
                "http": {
                    "url": "http://x/",
                    "arguments": {"order": {"type": "string"}},
                    "body": {"x": [{"argument": "ordr"}]},
                },
                "effect": "write",
            },
            'an argument "ordr" that is not there (nearest: "order")',
        ),
        ({"http": {"url": "http://x/"}, "effect": "write", "retries": 2}, "name its key_header"),
        (
            {"http": {"url": "http://x/"}, "effect": "write", "budget": {"argument": "amount", "day": 1}},
            'counts an argument "amount"',
        ),
        ({"http": {"url": "http://x/"}, "effect": "write", "budget": {"day": 1}}, "sums no argument"),
        ({"http": {"url": "http://x/"}, "effect": "write", "budget": {"argument": "a"}}, "has no limit"),
        (
            {"http": {"url": "http://x/"}, "effect": "write", "settings": {"a": 1}},
            "settings belong to a shipped tool",
        ),
        ({"use": "mail"}, "mail is a write: say effect: write"),
        ({"use": "search", "effect": "write"}, "search is a read"),
        ({"use": "search", "settings": {"k": 3}}, "settings of search: k"),
        ({"use": "write_file", "effect": "write", "settings": {}}, "settings of write_file: folder"),
        (
            {"use": "write_file", "effect": "write", "retries": 1, "settings": {"folder": "x"}},
            "write_file takes none",
        ),
        (
            {
                "use": "mail",
                "effect": "write",
                "settings": {
                    "host": "x",
                    "sender": "a@b.example",
                    "to_allowed": ["*"],
                    "tls": "none",
                    "user": "u",
                    "password_env": "P",
                },
            },
            "in the clear",
        ),
        ({"use": "search", "python": "a:b"}, "exactly one of them"),
    ],
)
def test_what_cannot_be_meant_is_said_with_its_line(tmp_path, tool, words):
    with pytest.raises(ConfigError) as wrong:
        Made(tmp_path, tools={"one": {"roles": ["everyone"], **tool}})
    assert words in str(wrong.value)
    assert str(wrong.value).startswith("ragflow.yaml:")


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (
            {"approvals": [{"when": {"tool": "refnd"}}]},
            'a tool "refnd" that is not listed (nearest: "refund")',
        ),
        ({"notify": [{"tool": "mail"}]}, 'notify names a tool "mail" that is not listed'),
        ({"notify": [{"tool": "refund"}]}, "is neither"),
    ],
)
def test_rules_that_name_no_tool_are_said_with_their_line(tmp_path, sections, words):
    tools = {"refund": {"effect": "write", "roles": ["everyone"], "http": {"url": "http://x/"}}}
    with pytest.raises(ConfigError) as wrong:
        Made(tmp_path, tools=tools, **sections)
    assert words in str(wrong.value)
