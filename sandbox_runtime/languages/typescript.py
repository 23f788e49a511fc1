"""TypeScript: run by Bun, which drops the types without checking them."""

from dataclasses import replace

from events import vocabulary
from sandbox_runtime.languages.entry import profiles
from sandbox_runtime.languages.javascript import JAVASCRIPT, STACK_SHARE

TYPESCRIPT = replace(
    JAVASCRIPT,
    name="typescript",
    file_name="solution.ts",
    run_argv=(*JAVASCRIPT.run_argv[:-1], "solution.ts"),
    profiles=profiles(
        vocabulary.Language.TYPESCRIPT,
        memory_mb=512,
        cpu_secs=8,
        open_files=128,
        file_mb=1,
        stack_share=STACK_SHARE,
    ),
    trial="const answer: number = 6 * 7\nconsole.log(answer)\n",
)
