from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from copilot import __version__
from copilot.cli.main import COMMANDS, copilot
from tests.cli.conftest import Run


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and group below ``group``, with what to type."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands(copilot))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_explains_itself(run: Run, path: tuple[str, ...]) -> None:
    outcome = run(*path, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"Usage: copilot {' '.join(path)} ")
    assert ALL[path].help


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    unexplained = [
        option.name
        for option in ALL[path].params
        if isinstance(option, click.Option) and not option.help and not option.show_default
    ]
    assert not unexplained


def test_the_summary_lists_every_command(run: Run) -> None:
    listed = run("--help").out
    assert all(f"  {name} " in listed for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_of_a_command_is_true(name: str) -> None:
    """It is kept apart from the command so that ``--help`` need not import it."""
    assert ALL[name,].name == name


def test_the_version(run: Run) -> None:
    assert run("--version").out.strip() == f"copilot, version {__version__}"


@pytest.mark.parametrize("arguments", ["fly", "replay", "calls list --limit 0", "serve --port x"])
def test_wrong_usage_exits_2_and_points_to_help(run: Run, arguments: str) -> None:
    outcome = run(*arguments.split())
    assert (outcome.code, outcome.out) == (2, "")
    assert "--help" in outcome.err
