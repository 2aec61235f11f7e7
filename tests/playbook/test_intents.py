"""The names an author may use are those the classifier knows."""

from copilot.playbook.intents import INTENTS
from copilot.playbook.model import Intent


def test_every_name_is_documented_where_authors_read():
    assert Intent.__doc__
    for label in INTENTS:
        assert f"``{label}``" in Intent.__doc__
