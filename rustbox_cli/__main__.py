"""The command `rustbox`."""

from __future__ import annotations

import os
import signal
import sys

import click

from rustbox_cli import VERSION
from rustbox_cli.api import Session, default_url
from rustbox_cli.commands import check_states, project
from rustbox_cli.commands.administration import keys, projects
from rustbox_cli.commands.checks import checks
from rustbox_cli.commands.events import events, listen, trigger
from rustbox_cli.commands.operations import admin
from rustbox_cli.commands.problems import judge, problems
from rustbox_cli.commands.programs import cancel, delete, result, results, run, submit
from rustbox_cli.commands.secrets import secrets
from rustbox_cli.commands.service import files, health, languages, mcp
from rustbox_cli.commands.verification import verify
from rustbox_cli.commands.webhooks import deliveries, webhooks
from rustbox_cli.errors import EXIT_CODES, ExitCode
from rustbox_cli.options import SuggestingGroup

SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Run programs": (run, submit, result, results, cancel, delete, files, languages),
    "Judge programs": (judge, problems),
    "Checks, and a project as a file": (checks, project.plan, project.apply, project.export),
    "Events, webhooks and secrets": (webhooks, deliveries, events, listen, trigger, secrets),
    "The service": (health, mcp),
    "With the administrator's key": (projects, keys, admin),
}


class _CommandLine(SuggestingGroup):
    """Lists the commands in sections."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - of click
        width = max(len(str(command.name)) for section in SECTIONS.values() for command in section)
        for title, section in SECTIONS.items():
            with formatter.section(title):
                most = formatter.width - width - 6
                formatter.write_dl([(str(each.name).ljust(width), each.get_short_help_str(most)) for each in section])


@click.group(
    cls=_CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXIT_CODES,
)
@click.option(
    "--url",
    envvar=["RUSTBOX_URL", "RUSTBOX_BASE_URL"],
    default=default_url,
    show_default="http://127.0.0.1:PORT, 4096 without PORT",
    help="Address of the service. Variable: RUSTBOX_URL, or RUSTBOX_BASE_URL as for the SDKs.",
)
@click.option(
    "--api-key",
    envvar="RUSTBOX_API_KEY",
    help="The project's key. Variable: RUSTBOX_API_KEY. Prefer the variable: other users can see options.",
)
@click.option(
    "--admin-key",
    envvar="RUSTBOX_ADMIN_KEY",
    help="The administrator's key, for `projects`, `keys` and `admin`. Variable: RUSTBOX_ADMIN_KEY.",
)
@click.option(
    "--allow-http",
    envvar="RUSTBOX_ALLOW_HTTP",
    is_flag=True,
    help="Allow http to other machines; keys are sent unencrypted.",
)
@click.version_option(VERSION, prog_name="rustbox")
@click.pass_context
def cli(ctx: click.Context, url: str, api_key: str | None, admin_key: str | None, allow_http: bool) -> None:
    """Run untrusted code with a Rustbox service.

    A submission is one program that you sent; `run` and `submit` create one, `result` shows it.

    The local stack (`make up`) needs no key: the command uses its development keys, on this machine only.

    \b
    Examples:
      rustbox run solution.py
      rustbox result $(rustbox submit main.c) --watch
      RUSTBOX_URL=https://api.example.com RUSTBOX_API_KEY=rb_live_... rustbox run solution.py
    """
    ctx.obj = Session(url, api_key, admin_key, allow_http)


for section in SECTIONS.values():
    for command in section:
        cli.add_command(command)
problems.add_command(verify)
for command in (*check_states.COMMANDS, *project.COMMANDS_OF_CHECKS):
    checks.add_command(command)


def main() -> None:
    # A job that is ended by SIGTERM removes what it stored and stops its programs, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = cli.main(prog_name="rustbox", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("rustbox: interrupted", err=True)
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has closed the pipe. Python must not report that when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.OK
    sys.exit(int(code or 0))


if __name__ == "__main__":
    main()
