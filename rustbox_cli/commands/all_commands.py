"""All commands."""

from __future__ import annotations

from rustbox_cli.commands import check_pages, check_states
from rustbox_cli.commands.administration import keys, projects
from rustbox_cli.commands.checks import checks
from rustbox_cli.commands.events import events, trigger
from rustbox_cli.commands.files import files
from rustbox_cli.commands.judge import judge
from rustbox_cli.commands.listen import listen
from rustbox_cli.commands.operations import admin
from rustbox_cli.commands.problems import problems
from rustbox_cli.commands.programs import cancel, delete, result, results, run, submit
from rustbox_cli.commands.service import health, languages, mcp
from rustbox_cli.commands.webhooks import deliveries, webhooks

_ABOUT_RUNS = (run, judge, problems, submit, result, results, cancel, delete, files, languages, health)
COMMANDS = (*_ABOUT_RUNS, projects, keys, webhooks, deliveries, events, listen, trigger, checks, mcp, admin)

for _command in (*check_states.COMMANDS, *check_pages.COMMANDS):
    checks.add_command(_command)
