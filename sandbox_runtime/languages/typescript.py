"""TypeScript: run by Bun, which drops the types without checking them."""

from sandbox_runtime.jail import FilterFamily
from sandbox_runtime.languages.entry import Language
from sandbox_runtime.languages.javascript import BUN, BUN_ENVIRONMENT
from sandbox_runtime.languages.profiles import profiles

TYPESCRIPT = Language(
    name="typescript",
    file_name="solution.ts",
    family=FilterFamily.JAVASCRIPT,
    tools=(BUN,),
    run_argv=(BUN.guest_path, "--no-install", "solution.ts"),
    environment=BUN_ENVIRONMENT,
    profiles=profiles(
        memory_mb=512, cpu_secs=8, wall_secs=12, processes=16, open_files=128, file_mb=1, agent_processes=64
    ),
    version_argv=("{tool}", "--version"),
    version_prefix="Bun ",
    trial="const answer: number = 6 * 7\nconsole.log(answer)\n",
)
