"""Bash: run by the system's bash, with the commands of /usr/bin."""

from fractions import Fraction

from events import vocabulary
from sandbox_runtime.languages.entry import Language, Tool, profiles

SHELL = "/usr/bin/bash"

BASH = Language(
    name="bash",
    file_name="solution.sh",
    # A script starts programs of any kind, so its family is the one with all calls.
    tools=(Tool(SHELL),),
    run_argv=(SHELL, "solution.sh"),
    profiles=profiles(
        vocabulary.Language.BASH,
        memory_mb=256,
        cpu_secs=8,
        open_files=64,
        file_mb=1,
        # Bash's calls become slower with their depth: in a larger stack an endless recursion meets the time limit.
        stack_share=Fraction(1, 64),
    ),
    version_argv=("{tool}", "-c", 'echo "$BASH_VERSION"'),
    version_prefix="bash ",
    trial="echo $((6 * 7))\n",
)
