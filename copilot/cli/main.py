"""``copilot``: the command line. Commands are loaded when they are called, so that ``--help`` is instant."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from copilot import __version__
from copilot.cli.output import OK, complain
from copilot.config import Settings, load_settings
from copilot.errors import CopilotError
from copilot.logs import configure_logs

COMMANDS: dict[str, tuple[str, str, str]] = {
    "serve": ("copilot.cli.serve", "serve", "Run the service."),
    "demo": ("copilot.cli.demo", "demo", "Play a call through a private server and watch the cards come."),
    "replay": ("copilot.cli.replay", "replay", "Run a recording through the engine."),
    "calls": ("copilot.cli.calls", "calls", "List, show and export stored calls."),
    "report": ("copilot.cli.report", "report", "Print the diagnosis of a stored call."),
    "playbook": ("copilot.cli.playbook", "playbook", "Lint, test, score, backtest and publish playbooks."),
    "models": ("copilot.cli.models", "models", "Fetch, verify and list model files."),
    "doctor": ("copilot.cli.doctor", "doctor", "Check this machine and say how to mend it."),
}


class LazyGroup(click.Group):
    """Knows its commands by name and imports one only when it is needed."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _help = COMMANDS[name]
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, _, help_text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), envvar="COPILOT_CONFIG", help="Configuration (TOML)."
)
@click.version_option(__version__, prog_name="copilot")
@click.pass_context
def copilot(context: click.Context, config: Path | None) -> None:
    """Real-time copilot for sales calls.

    Results go to stdout, everything for people to stderr. Exit codes: 0 ok, 1 findings or failure, 2 wrong usage.
    """
    context.obj = config
    configure_logs("warning", pretty=True)


def settings_of(context: click.Context) -> Settings:
    """The settings of this invocation."""
    return load_settings(context.find_root().obj)


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of the ``copilot`` script."""
    try:
        code = copilot.main(args=arguments, prog_name="copilot", standalone_mode=False)
        if code:  # what `context.exit` was given; not standalone, click returns it
            sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has enough; what is still buffered must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)
    except CopilotError as error:
        sys.exit(complain(error))


if __name__ == "__main__":
    main()
