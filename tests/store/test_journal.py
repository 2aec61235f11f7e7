"""What was appended comes back, whatever happens to the process, the disk or the file."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from queue import SimpleQueue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copilot.config import StoreSettings
from copilot.errors import LocalProtocolError
from copilot.store.disk import AppendFile
from copilot.store.journal import Journal, read_journal
from copilot.store.records import HEADER_BYTES, MAX_BODY_BYTES, PREFIX_BYTES, file_header, prefix
from tests.store.refusal import refused

SETTINGS = StoreSettings(sync_interval_ms=10)
BODIES = [b"", b"one", b"\x00" * 9, os.urandom(700), b"last"]


def image(bodies, kind=1):
    """The bytes of a journal holding ``bodies``."""
    return file_header() + b"".join(prefix(kind, body) + body for body in bodies)


def bodies_of(path):
    return [record.body for record in read_journal(path)]


@pytest.fixture
def journal():
    with_journal = Journal(SETTINGS)
    yield with_journal
    with_journal.close()


def test_records_come_back_in_order_with_their_kinds(journal, tmp_path):
    handle = journal.open("c1", tmp_path / "deep" / "c1")
    for kind, body in enumerate(BODIES):
        handle.append(kind, body)
    handle.close()
    reader = read_journal(tmp_path / "deep" / "c1" / "journal.bin")
    assert [(record.kind, record.body) for record in reader] == list(enumerate(BODIES))
    assert reader.torn_bytes == 0


def test_the_format_is_as_documented(journal, tmp_path):
    handle = journal.open("c1", tmp_path)
    for body in BODIES:
        handle.append(1, body)
    handle.close()
    assert (tmp_path / "journal.bin").read_bytes() == image(BODIES)


def test_a_journal_can_be_read_twice_and_while_it_grows(journal, tmp_path):
    reader = read_journal(tmp_path / "journal.bin")
    told = SimpleQueue()
    journal._on_persisted = lambda call_id, offset: told.put(offset)
    handle = journal.open("c1", tmp_path)
    handle.append(1, b"first", offset_after=1)
    told.get(timeout=10)
    assert [r.body for r in reader] == [b"first"]
    handle.append(1, b"second", offset_after=2)
    told.get(timeout=10)
    assert [r.body for r in reader] == [b"first", b"second"]


@pytest.mark.parametrize("length", range(len(image(BODIES[:3])) + 1))
def test_a_file_cut_anywhere_yields_its_whole_records(tmp_path, length):
    whole = image(BODIES[:3])
    path = tmp_path / "journal.bin"
    path.write_bytes(whole[:length])
    reader = read_journal(path)
    found = [record.body for record in reader]
    assert found == BODIES[: len(found)]
    assert reader.valid_bytes == (len(image(found)) if length >= HEADER_BYTES else 0)
    assert reader.valid_bytes + reader.torn_bytes == length
    if len(found) < 3:
        assert length < len(image(BODIES[: len(found) + 1]))


@pytest.mark.parametrize("length", [0, 5, HEADER_BYTES, HEADER_BYTES + 3, len(image(BODIES)) - 1, len(image(BODIES))])
def test_a_reopened_journal_goes_on_behind_its_valid_prefix(tmp_path, length):
    (tmp_path / "journal.bin").write_bytes(image(BODIES)[:length])
    kept = bodies_of(tmp_path / "journal.bin")
    journal = Journal(SETTINGS)
    handle = journal.open("c1", tmp_path, persisted=77)
    assert handle.persisted == 77
    handle.append(1, b"after")
    journal.close()
    assert bodies_of(tmp_path / "journal.bin") == [*kept, b"after"]


def test_a_torn_tail_is_kept_beside_the_journal(journal, tmp_path):
    (tmp_path / "journal.bin").write_bytes(image([b"whole"]) + b"half a rec")
    journal.open("c1", tmp_path)
    assert (tmp_path / "journal.torn").read_bytes() == b"half a rec"


def test_zeros_left_by_a_power_cut_are_not_records(tmp_path):
    path = tmp_path / "journal.bin"
    path.write_bytes(image([b"whole"]) + b"\x00" * 4096)
    reader = read_journal(path)
    assert [r.body for r in reader] == [b"whole"]
    assert reader.torn_bytes == 4096


@given(bodies=st.lists(st.binary(max_size=40), max_size=6), data=st.data())
def test_one_flipped_bit_never_changes_what_is_read_before_it(tmp_path_factory, bodies, data):
    whole = bytearray(image(bodies))
    bit = data.draw(st.integers(HEADER_BYTES * 8, len(whole) * 8 - 1)) if bodies else HEADER_BYTES * 8 - 1
    whole[bit // 8] ^= 1 << (bit % 8)
    path = tmp_path_factory.mktemp("flip") / "journal.bin"
    path.write_bytes(whole)
    if not bodies:
        with refused("storage.journal_foreign"):
            bodies_of(path)
        return
    intact = next(n for n in range(len(bodies)) if len(image(bodies[: n + 1])) > bit // 8)
    assert bodies_of(path) == bodies[:intact]


@given(noise=st.binary(max_size=200))
def test_noise_behind_the_header_never_fails(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("noise") / "journal.bin"
    path.write_bytes(file_header() + noise)
    reader = read_journal(path)
    assert sum(PREFIX_BYTES + len(r.body) for r in reader) + reader.torn_bytes == len(noise)


def test_another_file_or_none_is_an_error_with_a_code(tmp_path, journal):
    with refused("storage.unreadable"):
        bodies_of(tmp_path / "journal.bin")
    (tmp_path / "journal.bin").write_bytes(b"RIFF....WAVEfmt ")
    with refused("storage.journal_foreign"):
        journal.open("c1", tmp_path)


def test_persisted_advances_only_after_a_sync(tmp_path):
    log = SimpleQueue()

    class Watched(AppendFile):
        def write(self, buffers):
            log.put("write")
            return super().write(buffers)

        def sync(self):
            super().sync()
            log.put("sync")

    journal = Journal(SETTINGS, on_persisted=lambda call_id, offset: log.put((call_id, offset)), opener=Watched)
    handle = journal.open("c1", tmp_path)
    assert (log.get(timeout=10), log.get(timeout=10)) == ("write", "sync")  # the file header
    handle.append(1, b"x", offset_after=160)
    assert [log.get(timeout=10) for _ in range(3)] == ["write", "sync", ("c1", 160)]
    assert handle.persisted == 160
    assert not handle.is_waiting
    journal.close()


def test_a_record_without_an_offset_leaves_persisted_alone(tmp_path):
    told = []
    journal = Journal(SETTINGS, on_persisted=lambda *what: told.append(what))
    handle = journal.open("c1", tmp_path)
    handle.append(1, b"a", offset_after=5)
    handle.append(1, b"b")
    handle.close()
    assert (handle.persisted, told) == (5, [("c1", 5)])
    journal.close()


def test_many_calls_share_one_thread(tmp_path):
    before = threading.active_count()
    journal = Journal(SETTINGS)
    handles = [journal.open(f"c{n}", tmp_path / f"c{n}") for n in range(40)]
    assert threading.active_count() == before + 1
    for turn in range(50):
        for n, handle in enumerate(handles):
            handle.append(1, b"%d:%d" % (n, turn), offset_after=turn)
    journal.close()
    assert threading.active_count() == before
    for n in range(40):
        assert bodies_of(tmp_path / f"c{n}" / "journal.bin") == [b"%d:%d" % (n, turn) for turn in range(50)]
        assert handles[n].persisted == 49


def test_more_records_than_one_write_takes(journal, tmp_path):
    handle = journal.open("c1", tmp_path)
    bodies = [b"%d" % n for n in range(3000)]
    for body in bodies:
        handle.append(1, body)
    handle.close()
    assert bodies_of(tmp_path / "journal.bin") == bodies


class Valve:
    """A disk that tests open and shut. ``mood``: ok, full, broken, slow (one byte at a time), sync_broken, stuck."""

    def __init__(self):
        self.mood = "ok"
        self.go = threading.Event()
        self.entered = threading.Event()
        self.refused = threading.Event()

    def __call__(self, path):
        return ValvedFile(path, self)


class ValvedFile(AppendFile):
    def __init__(self, path, valve):
        super().__init__(path)
        self.valve = valve

    def write(self, buffers):
        return getattr(self, f"write_{self.valve.mood}", super().write)(buffers)

    def write_stuck(self, buffers):
        self.valve.entered.set()
        self.valve.go.wait(10)
        return super().write(buffers)

    def write_full(self, buffers):
        self.valve.refused.set()
        if len(buffers) > 2:  # some of it still fits
            super().write([buffers[0], buffers[1][:1]])
        raise OSError(errno.ENOSPC, "No space left on device")

    def write_broken(self, buffers):
        raise OSError(errno.EIO, "Input/output error")

    def write_slow(self, buffers):
        return super().write([next(bytes(b[:1]) for b in buffers if len(b))])

    def sync(self):
        if self.valve.mood == "sync_broken":
            raise OSError(errno.EIO, "Input/output error")
        super().sync()

    def truncate(self, size):
        if self.valve.mood == "full" and self.valve.go.is_set():
            raise OSError(errno.EIO, "Input/output error")
        super().truncate(size)


@pytest.fixture
def valve():
    return Valve()


@pytest.fixture
def failures():
    return SimpleQueue()


@pytest.fixture
def valved(valve, failures):
    journal = Journal(SETTINGS, on_failed=lambda call_id, error: failures.put((call_id, error.code)), opener=valve)
    yield journal
    valve.mood = "ok"
    valve.go.set()
    journal.close()


def test_a_disk_that_takes_one_byte_at_a_time(valved, valve, tmp_path):
    handle = valved.open("c1", tmp_path)
    valve.mood = "slow"
    for body in BODIES:
        handle.append(1, body)
    handle.close()
    assert bodies_of(tmp_path / "journal.bin") == BODIES


def test_a_full_disk_loses_nothing_once_there_is_room_again(valved, valve, failures, tmp_path):
    handle = valved.open("c1", tmp_path)
    handle.append(1, b"before")
    valve.mood = "full"
    handle.append(1, b"during")
    handle.append(1, b"too")
    assert failures.get(timeout=10) == ("c1", "storage.full")
    assert handle.error.code == "storage.full"
    handle.append(1, b"still taken")
    valve.refused.clear()
    assert valve.refused.wait(10)  # it keeps trying
    valve.mood = "ok"
    handle.append(1, b"after")
    handle.close()
    assert bodies_of(tmp_path / "journal.bin") == [b"before", b"during", b"too", b"still taken", b"after"]
    assert failures.empty()


def test_closing_on_a_full_disk_says_so_and_keeps_what_is_there(valved, valve, failures, tmp_path):
    handle = valved.open("c1", tmp_path)
    handle.append(1, b"before", offset_after=1)
    other = valved.open("c2", tmp_path / "c2")
    other.append(1, b"other")
    other.close()
    valve.mood = "full"
    handle.append(1, b"during")
    with refused("storage.full"):
        handle.close()
    assert bodies_of(tmp_path / "journal.bin") in ([b"before"], [])
    assert read_journal(tmp_path / "journal.bin").torn_bytes == 0


@pytest.mark.parametrize("mood", ["broken", "sync_broken"])
def test_a_broken_disk_ends_one_journal_and_not_the_others(valved, valve, failures, tmp_path, mood):
    handle = valved.open("c1", tmp_path / "c1")
    valve.mood = mood
    handle.append(1, b"x", offset_after=9)
    assert failures.get(timeout=10) == ("c1", "storage.write_failed")
    assert handle.persisted == 0
    with refused("storage.write_failed"):
        handle.append(1, b"y")
    valve.mood = "ok"
    other = valved.open("c2", tmp_path / "c2")
    other.append(1, b"fine")
    other.close()
    assert bodies_of(tmp_path / "c2" / "journal.bin") == [b"fine"]
    with refused("storage.write_failed"):
        handle.close()


def test_a_partial_write_that_cannot_be_undone_is_final(valved, valve, failures, tmp_path):
    handle = valved.open("c1", tmp_path)
    valve.go.set()
    valve.mood = "full"
    handle.append(1, b"x")
    assert failures.get(timeout=10) == ("c1", "storage.write_failed")
    with refused("storage.write_failed"):
        handle.append(1, b"y")


def test_a_stuck_disk_fills_the_backlog_and_the_caller_is_never_held_up(valved, valve, tmp_path):
    handle = valved.open("c1", tmp_path)
    valve.mood = "stuck"
    handle.append(1, b"x")
    assert valve.entered.wait(10)
    body = bytes(1_000_000)
    for _ in range(8):
        handle.append(1, body)
    with refused("storage.backlog"):
        handle.append(1, body)
    assert handle.backlog_bytes <= SETTINGS.journal_backlog_kb * 1024
    valve.mood = "ok"
    valve.go.set()
    handle.close()
    assert len(bodies_of(tmp_path / "journal.bin")) == 9


def test_a_disk_without_room_for_the_header_refuses_the_call(valve, valved, tmp_path):
    valve.mood = "full"
    with refused("storage.full"):
        valved.open("c1", tmp_path)
    valve.mood = "slow"
    with refused("storage.full"):
        valved.open("c1", tmp_path)
    assert (tmp_path / "journal.bin").read_bytes() == b""


def test_a_folder_that_cannot_be_made(journal, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with refused("storage.write_failed"):
        journal.open("c1", tmp_path / "file" / "c1")


def test_misuse_is_a_bug_and_says_so(journal, tmp_path):
    handle = journal.open("c1", tmp_path)
    with refused("journal.open", LocalProtocolError):
        journal.open("c1", tmp_path)
    with refused("journal.record_too_large", LocalProtocolError):
        handle.append(1, bytes(MAX_BODY_BYTES + 1))
    handle.close()
    handle.close()
    with refused("journal.closed", LocalProtocolError):
        handle.append(1, b"late")


def test_a_bug_in_a_callback_does_not_stop_the_recording(valve, tmp_path):
    def bug(*what):
        raise RuntimeError(what)

    journal = Journal(SETTINGS, on_persisted=bug, on_failed=bug, opener=valve)
    handle = journal.open("c1", tmp_path)
    handle.append(1, b"a", offset_after=1)
    valve.mood = "full"
    handle.append(1, b"b", offset_after=2)
    assert valve.refused.wait(10)
    valve.mood = "ok"
    handle.append(1, b"c", offset_after=3)
    journal.close()
    assert bodies_of(tmp_path / "journal.bin") == [b"a", b"b", b"c"]


PROCESS = textwrap.dedent("""
    import os, resource, sys, threading
    from pathlib import Path
    import structlog
    from copilot.config import StoreSettings
    from copilot.errors import StorageError
    from copilot.store.journal import Journal

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    told = threading.Event()

    def say(what, detail=""):
        os.write(1, f"{what} {detail}\\n".encode())  # whole lines, from two threads
        told.set()

    if "limit" in sys.argv:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    journal = Journal(
        StoreSettings(sync_interval_ms=5),
        on_persisted=lambda call_id, offset: say("persisted", offset),
        on_failed=lambda call_id, error: say("failed", error.code),
    )
    handle = journal.open("c1", Path(sys.argv[1]))
    n = 0
    while n < 1_000_000:
        try:
            handle.append(1, b"%08d" % n * 40, offset_after=n)
            n += 1
        except StorageError as error:
            if error.code != "storage.backlog":
                break
            told.clear()
            told.wait(1)
    say("alive")
    sys.stdin.read()
""")


def start(folder: Path, *args: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, str(folder), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def until(stream, *wanted):
    """Read lines until each of ``wanted`` has been seen."""
    missing = set(wanted)
    while missing:
        line = stream.readline()
        assert line, "the process ended early"
        missing.discard(line.strip())


def test_after_kill_9_everything_confirmed_is_there(tmp_path):
    with start(tmp_path) as process:
        for _ in range(5):
            line = process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        confirmed = int([line, *process.stdout.readlines()][-1].split()[1])
    bodies = bodies_of(tmp_path / "journal.bin")
    assert len(bodies) > confirmed > 0
    assert all(body == b"%08d" % n * 40 for n, body in enumerate(bodies[: confirmed + 1]))


def test_a_file_size_limit_of_the_kernel_ends_the_journal_but_not_the_process(tmp_path):
    with start(tmp_path, "limit") as process:
        until(process.stdout, "failed storage.write_failed", "alive")
        process.stdin.close()
        assert process.wait(10) == 0
    bodies = bodies_of(tmp_path / "journal.bin")
    assert all(body == b"%08d" % n * 40 for n, body in enumerate(bodies))
