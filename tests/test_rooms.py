from __future__ import annotations

import pkgutil
import re

import copilot


def test_the_package_docstring_names_every_room_and_no_other():
    rooms = {module.name for module in pkgutil.iter_modules(copilot.__path__)} - {"__main__"}
    named = set(re.findall(r"^    (\w+) {2,}\S", copilot.__doc__ or "", re.MULTILINE))
    assert named == rooms
