"""`python -m infra.local up`: exit code 0 after a clean stop, 1 if it could not start, 2 for bad usage.

`backup FILE` and `restore FILE` likewise.
"""

import sys

_USAGE = "usage: python -m infra.local up | backup FILE | restore FILE"


def main(arguments: list[str]) -> int:
    """Run a command."""
    match arguments:
        case ["up"]:
            return _up()
        case ["backup" | "restore" as command, file] if file:
            from infra.local.backups import run  # noqa: PLC0415 - usage errors answer at once

            return run(command, file)
    sys.stderr.write(_USAGE + "\n")
    return 2


def _up() -> int:
    # Imported late: usage errors answer at once, and a missing package gets its own line.
    try:
        from infra.local.launcher import up  # noqa: PLC0415
    except ModuleNotFoundError as error:
        sys.stderr.write(f"rustbox: Python package {error.name} is missing: run `make setup`\n")
        return 1
    return up()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
