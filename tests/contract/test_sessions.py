"""One promise (``rows.Sessions``), three stores: memory, SQLite, PostgreSQL."""

import msgspec
import pytest
import sqlalchemy

from copilot.clock import FakeClock
from copilot.config import StoreSettings
from copilot.errors import LocalProtocolError, NotFoundError, UsageError
from copilot.events import MediaFormat
from copilot.store.database import Store
from copilot.store.memory import MemoryStore
from copilot.store.rows import CallFilter, CallRow, Sessions
from tests.store.refusal import refused

CALL = CallRow(
    call_id="c1",
    started_at="2026-01-01T09:00:00.000Z",
    external_id="sip-77%",
    rep_id="小李",
    customer_ref="客户-1",
    campaign="solar",
    language="zh",
    playbook_id="outbound-zh",
    playbook_version="1.2.3",
    media=MediaFormat(encoding="mulaw", sample_rate_hz=8000, channels=("customer", "rep")),
    context={"vip": "是"},
    folder="calls/2026/01/01/c1",
)
CLOCK = FakeClock()


@pytest.fixture
def failures():
    return []


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.servers)])
def store(request, tmp_path, failures):
    def on_failed(call_id, error):
        failures.append((call_id, error.code))

    if request.param == "memory":
        opened = MemoryStore(clock=CLOCK, on_failed=on_failed)
    else:
        url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
        if url:
            empty(url)
        opened = Store.open(StoreSettings(database=url), tmp_path, clock=CLOCK, on_failed=on_failed)
    yield opened
    opened.close()


def empty(url):
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP SCHEMA public CASCADE"))
        connection.execute(sqlalchemy.text("CREATE SCHEMA public"))
    engine.dispose()


def add(store, call_id, **fields):
    call = msgspec.structs.replace(CALL, call_id=call_id, **fields)
    store.create_call(call)
    return call


def body(seq):
    return b'{"seq":%d,"text":"\xe4\xbd\xa0\xe5\xa5\xbd"}' % seq


def append(store, call_id, *seqs):
    for seq in seqs:
        store.append_event(call_id, seq, "transcript.final", seq * 10, body(seq))
    store.flush()


def test_it_keeps_the_whole_promise(store):
    promised: Sessions = store  # checked by mypy, too
    assert {name for name in vars(Sessions) if not name.startswith("_")} <= set(dir(promised))


def test_a_call_comes_back_as_it_was(store):
    store.create_call(CALL)
    assert store.call("c1") == CALL


def test_a_call_id_is_taken_once(store):
    store.create_call(CALL)
    with refused("storage.call_exists"):
        store.create_call(msgspec.structs.replace(CALL, campaign="other"))
    assert store.call("c1") == CALL


def test_an_unknown_call_has_a_code(store):
    for act in (
        lambda: store.call("nope"),
        lambda: store.update_call("nope", reason="x"),
        lambda: store.delete_call("nope"),
        lambda: store.save_report("nope", b"{}"),
    ):
        with refused("call.unknown", NotFoundError):
            act()
    assert (store.events("nope"), store.last_seq("nope"), store.report("nope")) == ([], 0, None)


def test_fields_change_and_the_others_stay(store):
    store.create_call(CALL)
    changes = {"state": "ended", "duration_ms": 2**33, "summary": {"cards": 3, "注": ["a"]}, "ended_at": "2026"}
    changed = store.update_call("c1", **changes)
    assert changed == store.call("c1") == msgspec.structs.replace(CALL, **changes)
    assert store.update_call("c1") == changed


@pytest.mark.parametrize("field", ["call_id", "started_at", "colour"])
def test_some_fields_never_change(store, field):
    store.create_call(CALL)
    with pytest.raises(TypeError, match=field):
        store.update_call("c1", **{field: "x"})


def test_calls_are_listed_newest_first_page_by_page(store):
    for n in range(7):
        add(store, f"c{n}", started_at=f"2026-01-0{1 + n // 2}T00:00:00.000Z")  # pairs share a moment
    seen, cursor = [], ""
    for _ in range(4):
        page = store.calls(limit=2, cursor=cursor)
        seen += [call.call_id for call in page.calls]
        cursor = page.next_cursor
    assert seen == ["c6", "c5", "c4", "c3", "c2", "c1", "c0"]
    assert cursor == ""


def test_a_page_is_not_disturbed_by_a_new_call(store):
    for n in range(4):
        add(store, f"c{n}", started_at=f"2026-01-01T00:00:0{n}.000Z")
    page = store.calls(limit=2)
    add(store, "c9", started_at="2026-01-02T00:00:00.000Z")
    assert [call.call_id for call in store.calls(limit=2, cursor=page.next_cursor).calls] == ["c1", "c0"]


@pytest.mark.parametrize("cursor", ["x", "!!!!", "bm9zcGFjZQ==", "//79"])
def test_a_foreign_cursor_is_the_callers_mistake(store, cursor):
    add(store, "c1")
    with refused("calls.bad_cursor", UsageError):
        store.calls(cursor=cursor)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (CallFilter(), "abc"),
        (CallFilter(rep_id="ann"), "ac"),
        (CallFilter(state="live"), "ab"),
        (CallFilter(since="2026-01-02"), "bc"),
        (CallFilter(until="2026-01-03"), "ab"),
        (CallFilter(since="2026-01-02", until="2026-01-03", rep_id="bob"), "b"),
        (CallFilter(text="ACME"), "ab"),
        (CallFilter(text="100%"), "b"),
        (CallFilter(text="客户"), "c"),
        (CallFilter(text="_"), ""),
    ],
)
def test_filters(store, where, found):
    plain = {"external_id": "", "campaign": ""}
    add(store, "a", rep_id="ann", customer_ref="acme", started_at="2026-01-01T00:00:00.000Z", **plain)
    add(store, "b", rep_id="bob", customer_ref="Acme 100%", started_at="2026-01-02T00:00:00.000Z", **plain)
    add(store, "c", rep_id="ann", customer_ref="客户", started_at="2026-01-03T00:00:00.000Z", state="ended", **plain)
    assert sorted(call.call_id for call in store.calls(where).calls) == sorted(found)


def test_live_calls_are_those_to_recover_oldest_first(store):
    add(store, "b", started_at="2026-01-02T00:00:00.000Z")
    add(store, "a", started_at="2026-01-01T00:00:00.000Z")
    add(store, "x", started_at="2026-01-01T00:00:00.000Z", state="interrupted")
    assert [call.call_id for call in store.live_calls()] == ["a", "b"]


def test_events_come_back_in_order_from_any_number_on(store, failures):
    add(store, "c1")
    add(store, "c2")
    for seq in range(1, 201):
        store.append_event("c1", seq, "metric", seq, body(seq))
        store.append_event("c2", seq, "metric", seq, body(-seq))
    store.flush()
    assert store.events("c1") == [body(seq) for seq in range(1, 201)]
    assert store.events("c2", after_seq=198) == [body(-199), body(-200)]
    assert store.events("c1", after_seq=10, limit=2) == [body(11), body(12)]
    assert store.events("c1", after_seq=200) == []
    assert (store.last_seq("c1"), failures) == (200, [])


def test_the_same_event_again_is_ignored(store, failures):
    add(store, "c1")
    append(store, "c1", 1, 2, 2, 3)
    append(store, "c1", 1, 2, 3, 4)
    assert (store.events("c1"), failures) == ([body(n) for n in (1, 2, 3, 4)], [])


def test_another_event_under_the_same_number_is_an_error_and_changes_nothing(store, failures):
    add(store, "c1")
    append(store, "c1", 1, 2)
    store.append_event("c1", 2, "metric", 0, b"other")
    store.append_event("c1", 3, "metric", 0, body(3))
    store.append_event("c1", 3, "metric", 0, b"other, in the same moment")
    store.flush()
    assert failures == [("c1", "storage.event_conflict")] * 2
    assert store.events("c1") == [body(1), body(2), body(3)]


def test_a_gap_is_an_error_and_leaves_none(store, failures):
    add(store, "c1")
    append(store, "c1", 1, 3, 2)
    assert failures == [("c1", "storage.event_gap")]
    assert store.events("c1") == [body(1), body(2)]


def test_an_event_of_an_unknown_call_spoils_nothing_else(store, failures):
    add(store, "c1")
    append(store, "c1", 1)
    store.append_event("nope", 1, "metric", 0, b"{}")
    append(store, "c1", 2)
    assert failures == [("nope", "call.unknown")]
    assert store.events("c1") == [body(1), body(2)]


def test_trimmed_events_can_be_written_anew(store, failures):
    add(store, "c1")
    append(store, "c1", 1, 2, 3, 4)
    assert store.trim_events("c1", after_seq=2) == 2
    assert store.trim_events("c1", after_seq=2) == 0
    store.append_event("c1", 3, "metric", 0, b"another three")
    store.flush()
    assert (store.events("c1"), failures) == ([body(1), body(2), b"another three"], [])


def test_reports_have_versions(store):
    add(store, "c1")
    assert store.report("c1") is None
    assert store.save_report("c1", b'{"v":1}') == 1
    assert store.save_report("c1", b'{"v":2}') == 2
    assert (store.report("c1"), store.report("c1", version=1), store.report("c1", version=3)) == (
        b'{"v":2}',
        b'{"v":1}',
        None,
    )
    assert store.report("c1", version=0) is None


def test_the_audit_outlives_the_call(store):
    add(store, "c1")
    append(store, "c1", 1)
    store.save_report("c1", b"{}")
    store.audit("admin", "call.export", call_id="c1", detail={"格式": "flac"})
    store.audit("admin", "playbook.publish")
    store.delete_call("c1")
    store.audit("admin", "call.delete", call_id="c1")
    with refused("call.unknown", NotFoundError):
        store.call("c1")
    assert (store.events("c1"), store.report("c1")) == ([], None)
    assert [(row.action, row.detail) for row in store.audited("c1")] == [
        ("call.delete", {}),
        ("call.export", {"格式": "flac"}),
    ]
    assert [row.action for row in store.audited(limit=2)] == ["call.delete", "playbook.publish"]
    assert store.audited()[0].at == "2026-01-01T00:00:00.000Z"


def test_a_deleted_call_can_come_again(store, failures):
    add(store, "c1")
    append(store, "c1", 1, 2)
    store.delete_call("c1")
    add(store, "c1")
    append(store, "c1", 1)
    assert (store.events("c1"), failures) == ([body(1)], [])


def test_there_is_room(store):
    assert store.free_mb() > 0


def test_a_closed_database_refuses_instead_of_hanging(store):
    store.close()
    if isinstance(store, Store):
        with refused("store.closed", LocalProtocolError):
            store.append_event("c1", 1, "metric", 0, b"{}")
