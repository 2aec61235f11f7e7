"""Every error code is in the reference, with whose fault it is and what to do; those of the socket in its tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from copilot.playbook.reference import ERRORS as PLAYBOOK_ERRORS
from copilot.wire.codes import CLOSE_CODES, ERROR_CODES
from scripts.raised import FAULT, PACKAGE, REMEDY, raised_codes

PAGE = Path(__file__).parents[2] / "docs/reference/errors.md"
RAISED = raised_codes()
SOCKET = {"RemoteProtocolError", "AccessError", "PlaybookError"}


def test_the_page_has_every_code_with_blame_meaning_and_remedy():
    rows = {
        cells[0].strip("`"): cells[1:]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and (cells := [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    }
    assert set(rows) == set(RAISED)
    for code, (fault, meaning, remedy, _) in rows.items():
        assert fault in FAULT.values(), code
        assert meaning, code
        assert remedy, code


def test_every_class_of_error_has_a_fault_and_a_remedy():
    assert set(FAULT) == set(REMEDY)


@pytest.mark.parametrize("code", sorted(code for code, each in RAISED.items() if each.kind in SOCKET))
def test_what_a_socket_may_say_is_in_its_table(code):
    assert code in ERROR_CODES


def test_the_table_of_the_socket_holds_nothing_that_is_never_said():
    assert set(ERROR_CODES) <= set(RAISED)


def test_a_playbook_that_is_wrong_is_not_tried_again():
    of_playbooks = {code for code, each in RAISED.items() if each.kind == "PlaybookError"}
    assert of_playbooks == set(PLAYBOOK_ERRORS)
    assert {ERROR_CODES[code].close for code in of_playbooks} == {4422}
    assert not CLOSE_CODES[4422].retry


def test_a_code_in_a_helper_is_found(tmp_path):
    (tmp_path / "room").mkdir()
    source = tmp_path / "room" / "noun.py"
    source.write_text(
        "def _fail(code, why):\n    return PlaybookError(f'playbook.{code}', why)\n"
        "def f(x):\n    code = 'a.b' if x else 'a.c'\n    raise UsageError(code, f'no {x}', hint='Go.')\n"
        "def g(x):\n    raise x or _fail('cycle', 'round')\n"
    )
    found = raised_codes(tmp_path)
    assert set(found) == {"playbook.cycle", "a.b", "a.c"}
    assert (found["a.b"].room, found["a.b"].message, found["a.b"].hint) == ("room", "no …", "Go.")
    source.write_text("def f(code):\n    raise UsageError(code, 'no')\n")
    with pytest.raises(LookupError, match="which code"):
        raised_codes(tmp_path)
    assert PACKAGE.name == "copilot"
