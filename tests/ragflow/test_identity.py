"""Who asks, and as whom."""

import os
import pwd

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragflow.errors import NoIdentity, NotAllowed, ReaderError
from ragflow.identity import Asker, login, readers, resolve
from ragflow.sections import Identity

IDENTITY = Identity(
    principals={"mia": ("user:mia", "group:support"), "bot": ("group:robots",)},
    impersonate=("mia",),
    auditors=("eve",),
)
names = st.from_regex(r"(user|group):[a-z0-9.@-]{1,8}|everyone", fullmatch=True)


def test_the_actor_is_the_operating_systems_user():
    assert login() == pwd.getpwuid(os.geteuid()).pw_name


def test_a_user_without_a_login_is_nobody(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_001)
    with pytest.raises(NoIdentity, match="4000000001"):
        login()


def test_a_login_is_its_principals_and_everyone():
    assert resolve(IDENTITY, "mia") == Asker("user:mia", ("everyone", "group:support", "user:mia"))


def test_a_login_without_an_entry_is_itself_and_everyone():
    assert resolve(IDENTITY, "joe") == Asker("user:joe", ("everyone", "user:joe"))
    assert resolve(Identity(), "joe") == Asker("user:joe", ("everyone", "user:joe"))


def test_a_login_without_a_user_among_its_principals_still_has_a_name():
    assert resolve(IDENTITY, "bot") == Asker("user:bot", ("everyone", "group:robots"))


def test_as_replaces_the_readers_and_keeps_the_actor():
    asker = resolve(IDENTITY, "mia", as_=["group:hr"])
    assert asker == Asker("user:mia", ("everyone", "group:hr"), acting=True)


@pytest.mark.parametrize("who", ["joe", "bot", "eve", "MIA", "mia "])
def test_as_needs_the_actors_own_login_in_impersonate(who):
    with pytest.raises(NotAllowed, match="impersonate"):
        resolve(IDENTITY, who, as_=["everyone"])


def test_only_a_listed_login_is_an_auditor():
    assert resolve(IDENTITY, "eve").auditor
    assert not resolve(IDENTITY, "mia").auditor


@pytest.mark.parametrize(
    "name", ["hr", "", "group:", "user: mia", "Group:hr", "everyone ", "group:a,b", "user:a\nb"]
)
def test_what_is_no_reader_is_refused(name):
    with pytest.raises(ReaderError):
        readers([name])


@given(st.lists(names))
def test_readers_are_sorted_once_each_and_hold_everyone(given_names):
    result = readers(given_names)
    assert list(result) == sorted(set(result))
    assert set(result) == {*given_names, "everyone"}
    assert readers(result) == result
