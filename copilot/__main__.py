"""``python -m copilot`` is ``copilot``."""

from copilot.cli.main import main

main()
