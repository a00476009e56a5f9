"""No run and no day costs more than its limit, however many processes ask at once."""

import math
import os
import sqlite3
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ragflow.deadlines import Deadline
from ragflow.model_sections import Budget, Tier
from ragflow.models.budget import Spending
from ragflow.models.calling import Means
from ragflow.models.calls import Message, ModelFailed, Prompt
from ragflow.models.failures import CallFailed
from ragflow.models.ledger import Ledger, LedgerUnusable
from ragflow.models.litellm_client import Completion
from ragflow.models.opening import open_tier
from ragflow.models.prices import NANO

QUESTION = Prompt((Message("user", "How many?"),))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


class Days(BaseModel):
    days: int


class Clock:
    def __init__(self, seconds=NOON):
        self.seconds = seconds

    def __call__(self):
        return self.seconds


@pytest.fixture
def path(tmp_path):
    return tmp_path / "models.sqlite"


def opened(spending, *, complete=None, usd=1.0, **tier):
    """A model of which every token costs, that reports a thousand read and ten written."""

    def right(request, seconds):
        return Completion('{"days": 28}', "stop", declined=False, tokens_in=1000, tokens_out=10)

    entry = {"model": "openai/any", "api_base": "http://127.0.0.1:9/v1", "max_tokens": 100}
    entry["usd_per_million"] = (usd, usd)
    means = Means(
        spending,
        lambda _: None,
        sleep=lambda _: None,
        load=lambda *_: None,
        complete=complete or right,
    )
    return open_tier("small", Tier.model_validate({"try": (entry,), **tier}), means)[0]


def ask(model):
    return model.ask(QUESTION, Days, deadline=Deadline(60))


# -- the ledger --------------------------------------------------------------------------------------


def test_opening_and_reading_make_no_file(path):
    ledger = Ledger(path)
    assert (ledger.spent(), ledger.cooling("m"), ledger.lacks("m", "temperature")) == (0, 0, False)
    ledger.warm("m")
    assert not path.exists()


def test_the_file_is_private_and_holds_across_processes(path):
    ledger = Ledger(path)
    number = ledger.reserve(500, limit=None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Ledger(path).spent() == 500
    ledger.settle(number, 120)
    assert Ledger(path).spent() == 120
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_what_is_reserved_counts_until_it_is_settled(path):
    ledger = Ledger(path)
    first = ledger.reserve(60, limit=100)
    assert ledger.reserve(60, limit=100) is None
    ledger.settle(first, 40)
    assert ledger.reserve(60, limit=100) is not None
    assert ledger.reserve(1, limit=100) is None


def test_what_a_killed_process_reserved_is_free_again_after_an_hour(path):
    clock = Clock()
    ledger = Ledger(path, clock=clock)
    number = ledger.reserve(100, limit=100)
    clock.seconds += 3599
    assert ledger.reserve(1, limit=100) is None
    clock.seconds += 2
    assert ledger.spent() == 0
    assert ledger.reserve(1, limit=100) is not None
    ledger.settle(number, 30)
    assert ledger.spent() == 31, "what was spent counts, however late it is told"


def test_a_new_day_begins_at_midnight_utc_with_nothing_spent(path):
    clock = Clock()
    ledger = Ledger(path, clock=clock)
    first = ledger.reserve(100, limit=100)
    clock.seconds = datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC).timestamp()
    late = ledger.reserve(0, limit=None)
    ledger.settle(first, 100)
    clock.seconds += 2
    assert ledger.spent() == 0
    assert ledger.reserve(100, limit=100) is not None
    ledger.settle(late, 7)
    assert ledger.spent() == 100, "what was reserved yesterday is yesterday's"


def test_a_model_is_left_alone_for_so_long_in_every_process(path):
    clock = Clock()
    Ledger(path, clock=clock).cool("m", 60)
    other = Ledger(path, clock=clock)
    assert (other.cooling("m"), other.cooling("n")) == (60, 0)
    clock.seconds += 60
    assert other.cooling("m") == 0
    other.cool("m", 10)
    other.warm("m")
    assert Ledger(path, clock=clock).cooling("m") == 0


def test_a_clock_that_is_set_back_does_not_leave_a_model_alone_for_ever(path):
    clock = Clock()
    Ledger(path, clock=clock).cool("m", 60)
    clock.seconds -= 10 * 86_400
    assert Ledger(path, clock=clock).cooling("m") == 0


def test_what_a_server_lacks_is_remembered_for_a_day(path):
    clock = Clock()
    Ledger(path, clock=clock).lack("m", "temperature")
    assert Ledger(path, clock=clock).lacks("m", "temperature")
    assert not Ledger(path, clock=clock).lacks("m", "response_format")
    clock.seconds += 86_401
    assert not Ledger(path, clock=clock).lacks("m", "temperature")


UNUSABLE = {
    "no folder": lambda path: path.parent / "absent" / path.name,
    "a folder in its place": lambda path: path.parent,
    "no database": lambda path: path,
}


@pytest.mark.parametrize("place", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_ledger_that_cannot_be_written_remembers_by_itself_and_gives_no_limit_away(path, place):
    path.write_bytes(b"this is no database " * 100)
    ledger = Ledger(place(path))
    number = ledger.reserve(70, limit=None)
    assert ledger.spent() == 70
    ledger.settle(number, 50)
    ledger.cool("m", 60)
    assert ledger.spent() == 50
    assert 59 < ledger.cooling("m") <= 60
    fresh = Ledger(place(path))
    with pytest.raises(LedgerUnusable):
        fresh.reserve(1, limit=100)
    with pytest.raises(CallFailed, match=r"over_budget: .* what was spent today is not known"):
        Spending(Budget(day_usd=1.0), fresh).hold(1, tier="t", tier_usd=None)


def test_a_file_of_a_newer_program_is_left_as_it_is(path):
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 2")
    connection.close()
    before = path.read_bytes()
    ledger = Ledger(path)
    assert ledger.reserve(1, limit=None) is not None
    with pytest.raises(LedgerUnusable):
        Ledger(path).reserve(1, limit=100)
    assert path.read_bytes() == before


def test_a_file_that_others_hold_for_too_long_stops_only_what_has_a_limit(path, monkeypatch):
    monkeypatch.setattr("ragflow.models.ledger.BUSY_TIMEOUT_S", 0.05)
    Ledger(path).cool("m", 60)
    with sqlite3.connect(path, isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        spending = Spending(Budget(run_usd=1.0), Ledger(path))
        held = spending.hold(NANO, tier="t", tier_usd=None)
        spending.settle(held, NANO // 2)
        assert spending.usd == 0.5
        with pytest.raises(CallFailed, match="over_budget"):
            Spending(Budget(day_usd=1.0), Ledger(path)).hold(1, tier="t", tier_usd=None)
        holder.execute("ROLLBACK")
    holder.close()


SPEND = """
import random, sys, time
from pathlib import Path
from ragflow.models.ledger import Ledger
ledger, chance = Ledger(Path(sys.argv[1])), random.Random(int(sys.argv[2]))
spent = 0
for _ in range(int(sys.argv[3])):
    nano = chance.randint(1, 400)
    number = ledger.reserve(nano, limit=5_000)
    if number is not None:
        used = chance.randint(nano // 2, nano)
        ledger.settle(number, used)
        spent += used
print(spent)
"""


def test_processes_that_spend_at_once_never_overspend_together_and_lose_nothing(path, rounds):
    often = str(rounds(fast=40, soak=400))
    working = [
        subprocess.Popen(
            [sys.executable, "-c", SPEND, str(path), str(seed), often],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(3)
    ]
    ended = [(process.communicate(), process.returncode) for process in working]
    assert [code for _, code in ended] == [0, 0, 0], [said for (_, said), _ in ended]
    own = [int(told) for (told, _), _ in ended]
    assert sum(own) == Ledger(path).spent()
    assert 4_000 < sum(own) <= 5_000, "the limit was reached, and not passed"
    assert sum(1 for one in own if one) > 1, "more than one of them spent"


def test_a_process_killed_in_a_call_leaves_its_reservation_for_an_hour(path):
    code = (
        "import os, sys; from pathlib import Path; from ragflow.models.ledger import Ledger\n"
        "Ledger(Path(sys.argv[1])).reserve(100, limit=100); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, check=False)
    assert killed.returncode == -9
    assert Ledger(path).reserve(1, limit=100) is None
    later = time.time() + 3601
    assert Ledger(path, clock=lambda: later).reserve(1, limit=100) is not None


# -- one run -----------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 400), st.floats(0, 1)), max_size=40),
    st.integers(0, 1000),
    st.integers(0, 1000),
)
def test_no_order_of_calls_passes_a_limit(calls, of_run, of_tier):
    spending = Spending(Budget(run_usd=of_run / NANO))
    spent = {"a": 0, "b": 0}
    for tier, nano, share in calls:
        fits = nano == 0 or (spent[tier] + nano <= of_tier and sum(spent.values()) + nano <= of_run)
        if not fits:
            with pytest.raises(CallFailed, match="over_budget"):
                spending.hold(nano, tier=tier, tier_usd=of_tier / NANO)
            continue
        held = spending.hold(nano, tier=tier, tier_usd=of_tier / NANO)
        spending.settle(held, math.floor(nano * share))
        spent[tier] += math.floor(nano * share)
        assert spent[tier] <= of_tier
        assert round(spending.usd * NANO) == sum(spent.values()) <= of_run
    assert spending.ledger.spent() == sum(spent.values())


def test_what_costs_nothing_is_not_written_down(path):
    spending = Spending(Budget(run_usd=0.0, day_usd=0.0), Ledger(path))
    reply = ask(opened(spending, usd=0.0))
    assert (reply.value.days, reply.cost_usd) == (28, 0)
    assert not path.exists()


def test_a_reply_tells_what_it_cost_by_the_servers_own_count(path):
    spending = Spending(Budget(day_usd=1.0), Ledger(path))
    reply = ask(opened(spending, usd=10.0))
    assert reply.cost_usd == pytest.approx(0.0101)
    assert spending.usd == pytest.approx(0.0101)
    assert Ledger(path).spent() == round(0.0101 * NANO)


@pytest.mark.parametrize(
    ("budget", "tier", "named"),
    [
        (Budget(run_usd=0.001), {}, "budget.run_usd"),
        (Budget(day_usd=0.001), {}, "budget.day_usd"),
        (Budget(), {"max_usd": 0.001}, "max_usd of the tier small"),
    ],
)
def test_a_call_that_may_cost_more_than_is_left_is_not_made(path, budget, tier, named):
    asked = []

    def complete(request, seconds):
        asked.append(request)
        return Completion('{"days": 28}', "stop", declined=False, tokens_in=10, tokens_out=5)

    # A prompt is some 100 tokens with its shape, a reply at most 100: 0.0008 US dollars and a few calls.
    model = opened(Spending(budget, Ledger(path)), complete=complete, usd=4.0, **tier)

    def ask_often():
        for _ in range(200):
            ask(model)

    with pytest.raises(ModelFailed, match=f"over_budget: .*{named}"):
        ask_often()
    assert 1 < len(asked) < 20
    assert Ledger(path).spent() <= 0.001 * NANO


@pytest.mark.parametrize("billed", [True, False], ids=["may be billed", "is not billed"])
def test_a_try_that_may_have_been_billed_counts_at_its_worst(path, billed):
    def complete(request, seconds):
        raise CallFailed("time_out", "late", may_be_billed=billed)

    spending = Spending(Budget(), Ledger(path))
    with pytest.raises(ModelFailed) as caught:
        ask(opened(spending, complete=complete))
    assert (caught.value.cost_usd > 0) == billed
    assert caught.value.cost_usd == pytest.approx(spending.usd)
    assert Ledger(path).spent() == round(spending.usd * NANO)


def test_a_call_that_is_interrupted_leaves_nothing_reserved_and_counts_at_its_worst(path):
    def complete(request, seconds):
        raise KeyboardInterrupt

    spending = Spending(Budget(), Ledger(path))
    with pytest.raises(KeyboardInterrupt):
        ask(opened(spending, complete=complete))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM reserved").fetchone() == (0,)
    connection.close()
    assert Ledger(path).spent() == round(spending.usd * NANO) > 0


def test_a_server_that_counts_more_than_was_held_is_taken_at_its_word(path):
    def complete(request, seconds):
        return Completion('{"days": 28}', "stop", declined=False, tokens_in=10**6, tokens_out=10**6)

    spending = Spending(Budget(run_usd=0.01), Ledger(path))
    assert ask(opened(spending, complete=complete)).cost_usd == pytest.approx(2.0)
    with pytest.raises(ModelFailed, match="over_budget"):
        ask(opened(spending, complete=complete))


def test_a_model_whose_price_is_not_known_costs_nothing_and_says_so():
    entry = {"model": "openai/any", "api_base": "http://gateway.example/v1"}
    done = Completion('{"days": 28}', "stop", declined=False, tokens_in=9, tokens_out=9)
    means = Means(
        Spending(Budget(run_usd=0.0)),
        lambda _: None,
        load=lambda *_: None,
        complete=lambda *_: done,
    )
    [model] = open_tier("t", Tier.model_validate({"try": (entry,)}), means)
    reply = ask(model)
    assert (reply.cost_usd, reply.priced, reply.tokens_in) == (0, False, 9)
