import hashlib
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from copilot.access.origins import host_allowed, origin_allowed
from copilot.access.policy import ANY, Action, Actor, Resource, Role, can, require
from copilot.access.tokens import authenticate, check_bind, is_loopback, token_from
from copilot.config import AccessSettings, Token
from copilot.errors import AccessError, ConfigError

OPEN = AccessSettings()
GUARDED = AccessSettings(
    tokens=(
        Token(token="rep-secret", role="rep", subject="1001"),
        Token(token="sha256:" + hashlib.sha256(b"boss-secret").hexdigest().upper(), role="supervisor", subject="wang"),
        Token(token="gate-secret", role="ingest", subject="pbx"),
    ),
    allowed_origins=("https://crm.example.com",),
)
OWN = Resource(rep_id="1001", started_by="pbx")
OTHER = Resource(rep_id="1002", started_by="other")

WATCH = {"call.read", "call.judge", "supervisor.send", "floor.read", "playbook.read", "playbook.write"}
MAY = {
    ("rep", OWN): {"call.start", "call.stream", "call.read", "call.command", "call.judge", "playbook.read"},
    ("rep", OTHER): {"playbook.read"},
    ("rep", ANY): {"playbook.read"},
    ("supervisor", OWN): WATCH,
    ("supervisor", OTHER): WATCH,
    ("ingest", OWN): {"call.start", "call.stream", "call.judge"},
    ("ingest", OTHER): {"call.start"},
    ("admin", OTHER): set(get_args(Action)),
}
SUBJECTS = {"rep": "1001", "supervisor": "wang", "ingest": "pbx", "admin": "root"}


@pytest.mark.parametrize(("role", "resource"), MAY)
def test_the_table(role, resource):
    actor = Actor(role, SUBJECTS[role])
    assert {action for action in get_args(Action) if can(actor, action, resource)} == MAY[role, resource]


@settings(deadline=None)
@given(st.sampled_from(["rep", "ingest"]), st.sampled_from(get_args(Action)))
def test_somebody_without_a_subject_owns_nothing(role, action):
    assert can(Actor(role), action, ANY) == can(Actor(role), action, OTHER)


def test_every_role_can_do_something():
    assert {role for role, _ in MAY} == set(get_args(Role))


def test_require_names_role_and_action():
    require(Actor("supervisor"), "floor.read")
    with pytest.raises(AccessError, match=r"rep may not do floor\.read") as caught:
        require(Actor("rep", "1001"), "floor.read")
    assert (caught.value.code, caught.value.status) == ("auth.forbidden", 403)


def test_without_tokens_everybody_is_the_local_admin():
    assert authenticate(None, OPEN) == authenticate("anything", OPEN) == Actor("admin", "local")


@pytest.mark.parametrize(
    ("token", "actor"),
    [
        ("rep-secret", Actor("rep", "1001")),
        ("boss-secret", Actor("supervisor", "wang")),
        ("gate-secret", Actor("ingest", "pbx")),
    ],
)
def test_a_known_token_lets_in_plain_or_as_digest(token, actor):
    assert authenticate(token, GUARDED) == actor


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (None, "auth.missing"),
        ("", "auth.missing"),
        ("wrong", "auth.invalid"),
        ("rep-secret ", "auth.invalid"),
        ("sha256:" + hashlib.sha256(b"boss-secret").hexdigest(), "auth.invalid"),
        ("密码", "auth.invalid"),
        ("\udcff", "auth.invalid"),
    ],
)
def test_others_stay_out(token, code):
    with pytest.raises(AccessError) as caught:
        authenticate(token, GUARDED)
    assert (caught.value.code, caught.value.status) == (code, 401)


@pytest.mark.parametrize(
    ("headers", "subprotocols", "token"),
    [
        ({"authorization": "Bearer abc"}, [], "abc"),
        ({"authorization": "bearer  abc "}, ["bearer.other"], "abc"),
        ({"authorization": "Basic abc"}, ["copilot.v1", "bearer.abc.def"], "abc.def"),
        ({"authorization": "Bearer "}, ["copilot.v1"], None),
        ({}, ["bearer."], None),
        ({}, [], None),
    ],
)
def test_where_a_token_comes_from(headers, subprotocols, token):
    assert token_from(headers, subprotocols) == token


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "::1", "[::1]", "127.8.8.8"])
def test_this_machine_may_be_listened_on_without_tokens(host):
    assert is_loopback(host)
    check_bind(host, OPEN)


@pytest.mark.parametrize("host", ["::", "10.0.0.1", "192.168.1.4", "", "copilot.example.com", "127.0.0.1.evil.com"])
def test_beyond_this_machine_needs_tokens(host):
    with pytest.raises(ConfigError) as caught:
        check_bind(host, OPEN)
    assert caught.value.code == "config.exposed"
    check_bind(host, GUARDED)


@pytest.mark.parametrize("token", ["", "sha256:"])
def test_an_empty_token_is_refused(token):
    with pytest.raises(ConfigError) as caught:
        check_bind("127.0.0.1", AccessSettings(tokens=(Token(token=token, role="admin"),)))
    assert caught.value.code == "config.empty_token"


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://copilot.example.com", True),
        ("http://copilot.example.com", False),
        ("https://copilot.example.com:8443", False),
        ("https://crm.example.com", True),
        ("https://crm.example.com:443", True),
        ("HTTPS://CRM.example.com", True),
        ("http://crm.example.com", False),
        ("https://evil.example.com", False),
        ("https://crm.example.com.evil.com", False),
        ("null", False),
        ("", False),
        ("https://[", False),
        ("https://x:99999", False),
        ("file://", False),
    ],
)
def test_which_pages_may_open_a_socket(origin, allowed):
    assert origin_allowed(origin, "copilot.example.com:443", GUARDED) is allowed


def test_a_star_allows_every_page():
    assert origin_allowed("https://evil.example.com", "x", AccessSettings(allowed_origins=("*",)))


@pytest.mark.parametrize(
    ("host", "settings", "allowed"),
    [
        ("127.0.0.1:8750", OPEN, True),
        ("localhost", OPEN, True),
        ("[::1]:8750", OPEN, True),
        ("rebound.evil.com:8750", OPEN, False),
        ("", OPEN, False),
        ("copilot.example.com", GUARDED, True),
    ],
)
def test_a_name_pointed_at_this_machine_is_not_this_machine(host, settings, allowed):
    assert host_allowed(host, settings) is allowed
