"""The page about REST names every request there is, and none that is not."""

import re
from pathlib import Path

from copilot.server import api, health

PAGE = Path(__file__).parents[2] / "docs/reference/rest.md"


def test_every_request_is_on_the_page():
    routes = [route for route in (*api.ROUTES, *health.ROUTES) if route.endpoint is not api.nothing_here]
    served = {(method, route.path) for route in routes for method in (route.methods or set()) - {"HEAD"}}
    told = set(re.findall(r"^\| `([A-Z]+) (/[^`]*)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert told == served
