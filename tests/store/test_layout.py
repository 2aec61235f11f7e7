"""One process, one data directory, and files where the documentation says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import copilot
from copilot.config import StoreSettings
from copilot.errors import LocalProtocolError
from copilot.store.layout import DataFolder, data_root
from tests.store.refusal import refused

MOMENT = "2026-01-31T23:59:59.999Z"


@pytest.fixture
def data(tmp_path):
    opened = DataFolder.open(StoreSettings(data_dir=str(tmp_path / "data"), min_free_mb=0))
    yield opened
    opened.close()


def test_where_sessions_are_kept():
    assert data_root(StoreSettings(data_dir="/srv/calls")) == Path("/srv/calls")
    assert data_root(StoreSettings(data_dir="~/calls")) == Path.home() / "calls"
    checkout = Path(copilot.__file__).parents[1]
    assert data_root(StoreSettings()) == checkout / "data"


def test_an_installed_wheel_uses_the_users_data_directory(tmp_path):
    (tmp_path / "copilot").symlink_to(Path(copilot.__file__).parent)
    code = "from copilot.store.layout import *; print(data_root(StoreSettings()))"
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "XDG_DATA_HOME": "/home/ann/data", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout == "/home/ann/data/call-copilot\n"


def test_a_call_has_a_folder_by_its_day(data):
    path = data.create_folder("c-1_A", MOMENT)
    assert path == data.root / "calls/2026/01/31/c-1_A"
    assert path.is_dir()
    assert path == data.folder(data.relative_folder("c-1_A", MOMENT))
    assert data.create_folder("c-1_A", MOMENT) == path
    assert (data.root.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o700)


def test_a_call_is_deleted_with_everything_in_it_and_nothing_else(data):
    path, other = data.create_folder("c1", MOMENT), data.create_folder("c2", MOMENT)
    (path / "audio.flac").write_bytes(b"x")
    data.delete_folder(data.relative_folder("c1", MOMENT))
    data.delete_folder(data.relative_folder("c1", MOMENT))
    assert (path.exists(), other.exists()) == (False, True)


def test_what_a_crash_left_of_a_deleted_call_goes_the_next_time(data):
    path = data.create_folder("c1", MOMENT)
    (path / "audio.flac").write_bytes(b"x")
    path.rename(path.with_name(".c1.deleted"))
    data.delete_folder(data.relative_folder("c1", MOMENT))
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("call_id", ["", "../c1", "a/b", "-x", "x" * 65, "电话", "a\n"])
def test_a_call_id_is_never_a_path(data, call_id):
    with refused("storage.call_id", LocalProtocolError):
        data.relative_folder(call_id, MOMENT)


def test_a_moment_is_a_moment(data):
    with refused("storage.call_id", LocalProtocolError):
        data.relative_folder("c1", "yesterday")


@pytest.mark.parametrize("relative", ["", ".", "calls/../..", "/etc", "other/c1"])
def test_a_folder_lies_under_calls(data, relative):
    with refused("storage.folder", LocalProtocolError):
        data.delete_folder(relative)


def test_a_second_process_is_told_who_has_it(data, tmp_path):
    with refused("storage.locked"):
        DataFolder.open(StoreSettings(data_dir=str(tmp_path / "data")))
    assert (data.root / "lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_goes_with_the_process_even_if_it_is_killed(tmp_path):
    code = (
        "import os, sys; from copilot.store.layout import *;"
        "held = DataFolder.open(StoreSettings(data_dir=sys.argv[1])); print(1, flush=True); sys.stdin.read()"
    )
    settings = StoreSettings(data_dir=str(tmp_path))
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with refused("storage.locked"):
            DataFolder.open(settings)
        process.kill()
    DataFolder.open(settings).close()


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with refused("storage.unwritable"):
        DataFolder.open(StoreSettings(data_dir=str(tmp_path / "file")))


def test_a_nearly_full_disk_refuses_new_calls(tmp_path):
    data = DataFolder.open(StoreSettings(data_dir=str(tmp_path), min_free_mb=2**40))
    with refused("storage.full"):
        data.create_folder("c1", MOMENT)
    assert 0 < data.free_mb() < 2**40
    data.close()


def test_something_else_in_the_way(data):
    (data.root / "calls/2026").write_bytes(b"")
    with refused("storage.unwritable"):
        data.create_folder("c1", MOMENT)
    with refused("storage.unwritable"):
        data.delete_folder("calls/2026/01")
