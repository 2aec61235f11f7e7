"""``copilot report``: the diagnosis of a stored call."""

from __future__ import annotations

import sys

import click
import msgspec

from copilot.cli.calls import stored
from copilot.cli.main import settings_of
from copilot.cli.output import emit_raw
from copilot.errors import NotFoundError
from copilot.review.markdown import render_markdown
from copilot.review.model import Report
from copilot.review.page import render_html


@click.command()
@click.argument("call_id")
@click.option("--format", "form", type=click.Choice(["json", "html", "md"]), default="md", show_default=True)
@click.option("--language", type=click.Choice(["en", "zh"]), help="Of the report's own words; default: the call's.")
@click.pass_context
def report(context: click.Context, call_id: str, form: str, language: str | None) -> None:
    """Print the report of CALL_ID on stdout."""
    with stored(settings_of(context)) as (store, _):
        store.call(call_id)
        body = store.report(call_id)
    if body is None:
        raise NotFoundError("report.not_ready", "this call has no report yet", hint="It is written after hang-up.")
    if form == "json":
        emit_raw(body)
        return
    diagnosis = msgspec.json.decode(body, type=Report)
    render = render_html if form == "html" else render_markdown
    sys.stdout.write(render(diagnosis, language=language or diagnosis.call.language))  # type: ignore[arg-type]
