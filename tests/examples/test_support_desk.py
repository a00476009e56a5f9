"""The support desk as its people see it: real commands in processes of their own, killed on the way.

A question arrives, a cited reply is drafted, a refund above the limit waits for a second person, is revised,
is sent once although the process was killed twice; the story is shown by one command, replayed by another.
"""

import getpass
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from aiosmtpd.controller import Controller
from refund_server import RefundServer

WAITING, KILLED, DONE = 7, -signal.SIGKILL, 0
PEOPLE = {"mia": "[user:mia, group:desk]", "noor": "[user:noor, group:desk, group:leads]"}


class OnAnyPort(Controller):
    """Listens on a free port of the system's choice."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Mailbox:
    """Keeps the mails that a real SMTP server took."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's name
        self.mails.append((envelope.rcpt_tos, envelope.content.decode()))
        return "250 kept"


@pytest.fixture
def mailbox():
    box = Mailbox()
    controller = OnAnyPort(box, hostname="127.0.0.1", port=0)
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def indexed(repository, tmp_path_factory):
    """The example with its index: made once, copied for each test."""
    company = tmp_path_factory.mktemp("company") / "northwind"
    ignored = shutil.ignore_patterns(".ragflow", "__pycache__", "mails", "refunds.sqlite", "originals")
    shutil.copytree(repository / "examples" / "northwind", company, ignore=ignored)
    desk = Desk(company / "support")
    assert desk.run("mia", "index").returncode == DONE
    return company


def desk_at(indexed, folder, port):
    """A desk of its own, whose replies go to a port."""
    shutil.copytree(indexed, folder / "northwind")
    made = Desk(folder / "northwind" / "support")
    made.change(lambda given: given["tools"]["send_reply"]["settings"].update(port=port))
    return made


@pytest.fixture
def desk(indexed, tmp_path, mailbox):
    return desk_at(indexed, tmp_path, mailbox.port)


class Desk:
    """The folder of the support desk, and commands in it as one of its people."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def change(self, change) -> None:
        file = self.folder / "ragflow.yaml"
        given = yaml.safe_load(file.read_text())
        change(given)
        file.write_text(yaml.safe_dump(given, sort_keys=False))

    def command(self, who, *command, plug=()):
        program = ["pull_plug.py", *plug] if plug else ["-m", "ragflow.cli"]
        person = f"identity.principals.{getpass.getuser()}={PEOPLE[who]}"
        return [sys.executable, *program, "--set", person, *command]

    def run(self, who, *command, plug=()):
        """Run one command to its end; ``plug``: ("before" or "after", function) where it is killed."""
        return subprocess.run(
            self.command(who, *command, plug=plug), cwd=self.folder, env=_environment(),
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def json(self, who, *command):
        """Return the objects that a command prints, one a line."""
        done = self.run(who, *command, "--json")
        assert "Traceback" not in done.stderr, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    @property
    def newest(self) -> str:
        """The newest run."""
        return self.json("mia", "runs", "list", "--limit", "1")[0]["run"]

    def pending(self):
        """The one request that waits, as its approver sees it."""
        (one,) = [each for each in self.json("noor", "approvals", "list") if each["status"] == "pending"]
        return self.json("noor", "approvals", "show", one["approval"])[0]

    def decide(self, how, *more, plug=(), who="noor"):
        one = self.pending()
        return self.run(who, "approvals", how, one["approval"], "--digest", one["digest"], *more, plug=plug)

    def refunds(self):
        listed = subprocess.run(
            [sys.executable, "ledger.py"], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return listed.stdout.split()


def _environment():
    kept = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "COLUMNS": "80", "NO_COLOR": "1"}
    repository = Path(__file__).resolve().parents[2]
    return kept | {"PYTHONPATH": str(repository)}


def test_the_whole_story(desk, mailbox):
    started = desk.run(
        "mia", "run", "support", "--input", "ticket.json", plug=("after", "support:proposes_refund")
    )
    assert started.returncode == KILLED
    run = desk.newest

    resumed = desk.run("mia", "runs", "resume", run)
    assert resumed.returncode == WAITING, resumed.stderr
    assert desk.refunds() == []
    one = desk.pending()
    assert (one["tool"], one["arguments"]) == ("refund", {"order": "NP-2107", "amount": 149.4})

    # The one who wants it may not agree to it.
    refused = desk.decide("approve", who="mia")
    assert refused.returncode == 8
    assert desk.pending()["digest"] == one["digest"]

    comment = "One of the six boxes was dry."
    revised = desk.decide(
        "revise", "--set", "amount=124.50", "--comment", comment, plug=("after", "ledger:enter")
    )
    assert revised.returncode == KILLED
    assert desk.refunds() == ["NP-2107", "124.50"]
    assert mailbox.mails == []

    ended = desk.run("mia", "runs", "resume", run)
    assert ended.returncode == DONE, ended.stderr
    assert desk.refunds() == ["NP-2107", "124.50"]
    ((to, mail),) = mailbox.mails
    assert to == ["roth@vestra.example"]
    assert "We have refunded 124.50 euros for order NP-2107." in mail
    assert "Refunds and returns > What we refund" in mail

    # One command tells the story.
    told = desk.run("mia", "runs", "show", run)
    assert told.returncode == DONE
    assert max(map(len, told.stdout.splitlines())) <= 80
    flat = " ".join(told.stdout.split())
    for part in (
        f"{run} support done: refunded (exit code 0)",
        "[1] desk/refunds.md, Refunds and returns > What we refund",
        "asks group:leads",
        "revised by user:noor",
        f'"{comment}"',
        "amount: 149.4 -> 124.5",
        "tool send_reply",
        "outcome refunded",
    ):
        assert part in flat, (part, told.stdout)

    # Another replays it, without the mail server and without a second refund.
    replayed = desk.run("mia", "runs", "replay", run)
    assert replayed.returncode == DONE, replayed.stdout + replayed.stderr
    assert desk.run("mia", "runs", "verify", run).returncode == DONE
    assert len(mailbox.mails) == 1
    assert desk.refunds() == ["NP-2107", "124.50"]

    # What has ended cannot be done again by resuming it.
    desk.run("mia", "runs", "resume", run)
    assert len(mailbox.mails) == 1


def test_a_small_refund_asks_nobody(desk, mailbox):
    ticket = json.loads((desk.folder / "ticket.json").read_text()) | {"amount": 24.9, "order": "NP-2108"}
    (desk.folder / "small.json").write_text(json.dumps(ticket))
    done = desk.run("mia", "run", "support", "--input", "small.json")
    assert done.returncode == DONE, done.stderr
    assert desk.refunds() == ["NP-2108", "24.90"]
    assert len(mailbox.mails) == 1


def test_a_rejected_refund_is_not_made_and_the_customer_hears_of_it(desk, mailbox):
    assert desk.run("mia", "run", "support", "--input", "ticket.json").returncode == WAITING
    assert desk.decide("reject", "--comment", "The photograph shows dry boxes.").returncode == DONE
    assert desk.refunds() == []
    ((_, mail),) = mailbox.mails
    assert "We cannot refund this order as it stands." in mail


def test_what_no_document_says_is_handed_to_a_person(desk, mailbox):
    ticket = json.loads((desk.folder / "ticket.json").read_text())
    ticket["message"] = "Your driver was rude. Can you refund my good mood?"
    (desk.folder / "rude.json").write_text(json.dumps(ticket))
    done = desk.run("mia", "run", "support", "--input", "rude.json")
    assert done.returncode == 6, done.stdout + done.stderr
    assert desk.refunds() == []
    ((_, mail),) = mailbox.mails
    assert "A person will look at your message" in mail


def test_the_reply_killed_between_sending_and_noting_goes_to_a_person_and_is_not_sent_again(desk, mailbox):
    """Mail takes no key and cannot be asked: nobody but a person can know."""
    ticket = json.loads((desk.folder / "ticket.json").read_text()) | {"amount": 24.9}
    (desk.folder / "small.json").write_text(json.dumps(ticket))
    plug = ("after", "ragflow.tools.mail:MailTool.perform")
    assert desk.run("mia", "run", "support", "--input", "small.json", plug=plug).returncode == KILLED
    assert len(mailbox.mails) == 1
    assert desk.run("mia", "runs", "resume", desk.newest).returncode == WAITING
    assert len(mailbox.mails) == 1


def test_killed_at_random_moments_a_refund_over_http_happens_once(desk, mailbox, rounds):
    drawn = random.Random(7)
    with RefundServer() as server:

        def by_http(given):
            given["tools"]["refund"] = {
                "http": {
                    "url": server.url,
                    "arguments": {"order": {"type": "string"}, "amount": {"type": "number"}},
                    "body": {"order": {"argument": "order"}, "amount": {"argument": "amount"}},
                    "key_header": "Idempotency-Key",
                    "ask": {"url": server.url},
                },
                "effect": "write",
                "roles": ["group:desk"],
                "timeout": 20,
            }

        desk.change(by_http)
        for number in range(rounds(fast=1, soak=40)):
            order = f"NP-{3000 + number}"
            ticket = json.loads((desk.folder / "ticket.json").read_text()) | {"amount": 24.9, "order": order}
            (desk.folder / "small.json").write_text(json.dumps(ticket))
            before = _runs(desk)
            command = desk.command("mia", "run", "support", "--input", "small.json")
            while not (_runs(desk) - before):
                _killed(command, desk.folder, drawn.uniform(0.4, 2.5))
            (run,) = _runs(desk) - before
            for _ in range(2):
                _killed(desk.command("mia", "runs", "resume", run), desk.folder, drawn.uniform(0.4, 2.5))
            desk.run("mia", "runs", "resume", run)
            (record,) = desk.json("mia", "runs", "show", run)
            # Waiting: nobody can tell whether the reply was sent, and a person is asked.
            assert record["status"] in {"done", "waiting"}
            done = [entry for entry in server.refunds.values() if entry[0] == order]
            assert done == [(order, 24.9)]
            assert len([mail for _, mail in mailbox.mails if order in mail]) <= 1


def _runs(desk):
    return {
        one["run"] for one in desk.json("mia", "runs", "list", "--limit", "100") if one["kind"] == "workflow"
    }


def _killed(command, folder, seconds):
    """Run a command and kill it after some seconds, if it still runs."""
    process = subprocess.Popen(
        command, cwd=folder, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("workflow", "given", "code", "shown"),
    [
        ("sequential", '{"question": "Are wet boxes refunded?"}', WAITING, "publish a page"),
        ("researcher", '{"question": "When do goods leave the warehouse?"}', DONE, "no_model"),
        ("gatekeeper", '{"customer": "Vestra", "limit": 5000}', WAITING, "raise a credit limit"),
        ("triage", "ticket.json", WAITING, "NP-2107"),
    ],
)
def test_each_pattern_runs_by_one_command(desk, workflow, given, code, shown):
    done = desk.run("mia", "run", workflow, "--input", given)
    assert done.returncode == code, done.stdout + done.stderr
    told = desk.run("mia", "runs", "show", desk.newest)
    assert shown in told.stdout


def test_the_walk_plays_the_story(indexed, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        desk = desk_at(indexed, tmp_path, free.getsockname()[1])
    done = subprocess.run(
        ["bash", "walk.sh", str(Path(sys.executable).parent / "ragflow")], cwd=desk.folder,
        env=_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"^NP-2107  124\.50$", done.stdout, re.MULTILINE)
    assert re.findall(r"^mails/.*\.eml$", done.stdout, re.MULTILINE) == ["mails/1.eml"]
    assert "revised by user:noor" in done.stdout
