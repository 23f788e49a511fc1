"""The command line of `python -m sandbox_runtime`."""

import argparse

from sandbox_runtime.commands import exit_codes
from sandbox_runtime.languages import LANGUAGES
from sandbox_runtime.liveness import PERIODS_UNTIL_DEAD

PROGRAM = "python -m sandbox_runtime"
OPEN_SECRETS = "open-secrets"
"""Only a worker starts it, so no help names it."""

_RUN_EPILOG = f"""\
examples:
  {PROGRAM} run hello.py
  {PROGRAM} run solve.c --stdin input.txt --memory-mb 64 --cpu-time-secs 2
  echo 3 | {PROGRAM} run script --language javascript --stdin - --json

{exit_codes.DESCRIPTION}"""

_WORKER_EPILOG = """\
environment:
  INTERACTIVE_QUEUE_URL, BATCH_QUEUE_URL, COMPLETIONS_QUEUE_URL, PAYLOADS_BUCKET   needed
  NETWORK_QUEUE_URL   runs with network, on a host that can give them one (none); without the first two: these only
  SLOTS               programs at once (number of cores); with two or more, batch runs leave one free
  NODE_ID             name of this runner (host name)
  TOOLCHAINS_DIR      toolchains that are no system packages (.toolchains beside the code)
  TRIALS_DIR          where it is noted that the languages work, for the next start (TOOLCHAINS_DIR)
  VISIBILITY_SECS     visibility timeout of a received message, extended while it runs (60)
  HEARTBEAT_SECS      time between two heartbeats (20)
  LIVENESS_FILE       touched after each sent heartbeat, for `healthy` (/run/rustbox-worker.alive)
  RECEIVE_WAIT_SECS   long poll of the interactive queue (5)
  DRAIN_SECS          time for running programs after SIGTERM (50); a second SIGTERM stops them at once
  MAX_RECEIVES        receives after which a message that cannot be run ends as IE (5)
  ALLOW_PERMISSIVE    true: work although REQUIRED_CONTROLS leaves out controls of strict isolation (false)
  REQUIRED_CONTROLS   the floor: without these no program runs; names from `doctor`, comma-separated (all but cpu_share)
  LANGUAGES           the languages to offer, comma-separated (all whose toolchains work)
  SETUP_TIMEOUT_SECS  how long the sandbox's own set-up of a slot or a run may take; more for a slow CPU (10)
  FILES_DIR           where stored files of requests are kept; in a container a volume (the folder for temporary files)
  FILES_CACHE_MB      disk for them; one project may have half of it (2048)
  COMPILE_CACHE_MB    memory of the compile cache, 0: no cache (64)
  COMPILE_CACHE_MAX_AGE_SECS   the longest time that a compiled program is reused (600)
  PYTHON_FORK         false: start each Python program by exec, not as a fork of a warm interpreter (true)
  WAITING_COMMANDS    false: start no Java compiler and JVM in advance; saves about 150 MB (true)
  PIN_SET_UP          false: let the kernel choose the CPU on which a run is set up (true)
  NETWORK             false: refuse runs that ask for network (true)
  NETWORK_RESOLVERS   name servers for these runs, such as 127.0.0.1:5353 (those of /etc/resolv.conf)
  LISTEN_ADDRESS      IP address and port of the direct path, such as 127.0.0.1:8080 (does not listen)
  RUNNER_TOKEN        bearer token of its callers, 32 characters or more; needed with LISTEN_ADDRESS
  RUNNER_TOKEN_FILE   a file with the token, instead of RUNNER_TOKEN; other users must not read it
  TLS_CERT_FILE, TLS_KEY_FILE   PEM files of its certificate chain and key; needed with LISTEN_ADDRESS
  ALLOW_HTTP          true: listen without TLS, such as behind a load balancer that ends TLS (false)
  LOG_LEVEL           DEBUG, INFO, WARNING, ERROR (INFO)
  and the variables of boto3: AWS_DEFAULT_REGION, AWS_ENDPOINT_URL, credentials
"""

_HEALTHY_EPILOG = f"""\
environment, as the worker's:
  LIVENESS_FILE, HEARTBEAT_SECS

exit codes: 0 the file is younger than {PERIODS_UNTIL_DEAD} heartbeat periods, {exit_codes.UNHEALTHY} it is not
"""


def parser() -> argparse.ArgumentParser:
    """Build the parser; the chosen command is in `command`."""
    top = argparse.ArgumentParser(prog=PROGRAM, description="Run untrusted programs in a sandbox.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_run(commands)
    commands.add_parser(
        "worker",
        help="run the executions of the queues, until SIGTERM",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_WORKER_EPILOG,
    )
    commands.add_parser(
        "healthy",
        help="check whether the worker has sent a heartbeat recently",
        description="Check the file that the worker touches after each sent heartbeat.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_HEALTHY_EPILOG,
    )
    commands.add_parser(OPEN_SECRETS).add_argument("control", type=int)
    languages = commands.add_parser("languages", help="list the languages that this host has")
    languages.add_argument("--json", action="store_true", help="print one JSON object")
    languages.add_argument(
        "--prepare",
        nargs="?",
        const="",
        choices=["", *(language.name for language in LANGUAGES)],
        metavar="LANGUAGE",
        help="only build the files that toolchains, or that of one language, need, and run no program (image builds)",
    )
    doctor = commands.add_parser(
        "doctor",
        help="show the controls of this host and what to change",
        description="Probe the sandbox and show the missing controls. Needs root.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 strict isolation is possible, 1 only permissive, with ALLOW_PERMISSIVE=true, 2 none",
    )
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    return top


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = commands.add_parser(
        "run",
        help="run one file, without any service, as root",
        description="Run one file in the sandbox. Its output goes to stdout and stderr, one summary line to stderr.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_RUN_EPILOG,
    )
    names = [language.name for language in LANGUAGES]
    run.add_argument("file", metavar="FILE", help="source file")
    run.add_argument("--language", choices=names, help="default: by the file's extension")
    run.add_argument("--stdin", metavar="FILE", help="input of the program; -: the command's own (default: none)")
    run.add_argument("--profile", choices=["judge", "agent"], default="judge", help="set of limits (default: judge)")
    run.add_argument("--cpu-time-secs", type=float, metavar="SECS", help="CPU time of all its processes together")
    run.add_argument("--wall-time-secs", type=float, metavar="SECS", help="elapsed time")
    run.add_argument("--memory-mb", type=int, metavar="MB", help="memory of all its processes together")
    run.add_argument("--max-processes", type=int, metavar="N", help="processes and threads")
    run.add_argument("--output-kb", type=int, metavar="KB", help="largest size of each output stream")
    run.add_argument("--json", action="store_true", help="print result, output, metrics and evidence as JSON instead")
