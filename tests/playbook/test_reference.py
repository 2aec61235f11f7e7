"""The reference page is the code's, and complete."""

import re
import runpy
from pathlib import Path

import msgspec

from copilot.playbook import model
from copilot.playbook.reference import ERRORS, PARTS, reference
from scripts.raised import raised_codes

ROOT = Path(__file__).parents[2]


def test_the_page_is_fresh():
    assert (ROOT / "docs/reference/playbook.md").read_text(encoding="utf-8") == reference()


def test_every_part_of_the_format_is_on_the_page():
    parts = {value for value in vars(model).values() if isinstance(value, type) and issubclass(value, model.Part)}
    assert set(PARTS) == parts - {model.Part}
    page = reference()
    for part in PARTS:
        for field in msgspec.structs.fields(part):
            assert f"| `{field.encode_name}` |" in page


def test_every_key_is_explained():
    unsaid = [
        f"{part.__name__}.{field.encode_name}"
        for part in PARTS
        for field in msgspec.structs.fields(part)
        if f"``{field.encode_name}``" not in (part.__doc__ or "") and field.encode_name not in ("id", "title")
    ]
    assert unsaid == []


def test_every_error_code_is_on_the_page():
    raised = {code for code in raised_codes(ROOT / "copilot/playbook") if code.startswith("playbook.")}
    assert raised == {code for code in ERRORS if re.fullmatch(r"playbook\.[a-z_]+", code)}


def test_the_command_prints_the_page(capsys):
    runpy.run_path(str(ROOT / "copilot/playbook/reference.py"), run_name="__main__")
    assert capsys.readouterr().out == reference()
