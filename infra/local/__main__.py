"""`python -m infra.local COMMAND`: exit code 0 after a clean end, 1 if it could not start, 2 for bad usage.

up             the development stage
serve          one machine in production
runner         on another host: a runner of a machine in production
admin-key      make a new administrator's key for `serve`
backup FILE    write the state of a stack, which may run
restore FILE   put a backup in place of the state of a stopped stack
export FILE    write projects, API keys, endpoints and checks, to import them elsewhere
"""

import errno
import gc
import sys

from infra.embedded import leave_out_developer_packages
from infra.embedded.errors import StoreUnusableError
from infra.local.settings import StartError

_USAGE = "usage: python -m infra.local up | serve | runner | admin-key | backup FILE | restore FILE | export FILE"


def main(arguments: list[str]) -> int:
    """Run a command. Imports are late: usage errors answer at once, and a missing package gets its own line."""
    try:
        match arguments:
            case ["up" | "serve" as command]:
                gc.disable()  # until `loading.load` is through
                leave_out_developer_packages()
                from infra.local.processes import launcher  # noqa: PLC0415

                return launcher.run(production=command == "serve")
            case ["runner"]:
                from infra.local.processes.remote_runner import run_remote_runner  # noqa: PLC0415

                return run_remote_runner()
            case ["admin-key"]:
                from infra.local.state import replace_admin_key  # noqa: PLC0415

                replace_admin_key()
            case ["backup" | "restore" as command, file] if file:
                from infra.local.state import run_backup  # noqa: PLC0415

                run_backup(command, file)
            case ["export", file] if file:
                from infra.local.export import run_export  # noqa: PLC0415

                run_export(file)
            case _:
                sys.stderr.write(_USAGE + "\n")
                return 2
    except ModuleNotFoundError as error:
        sys.stderr.write(f"rustbox: Python package {error.name} is missing: run `make setup`\n")
        return 1
    except (StartError, StoreUnusableError, OSError) as error:
        is_full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if isinstance(error, OSError) and not is_full:
            raise
        sys.stderr.write(f"rustbox: {error}{': free some space' if is_full else ''}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
