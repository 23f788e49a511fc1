"""Lua: run by the system's lua5.4."""

from events import vocabulary
from sandbox_runtime.languages.entry import Language, Tool, profiles

INTERPRETER = "/usr/bin/lua5.4"

# As the interpreter reads a file: its first line may be a comment of the shell.
_SOURCE_CHECK = """\
local text = io.read("a"):gsub("^#[^\\n]*", "")
os.exit(load(text) and 0 or 1)
"""

LUA = Language(
    name="lua",
    file_name="solution.lua",
    tools=(Tool(INTERPRETER),),
    run_argv=(INTERPRETER, "solution.lua"),
    profiles=profiles(vocabulary.Language.LUA, memory_mb=256, cpu_secs=8, open_files=64, file_mb=1),
    # Its own line about its version has the copyright too.
    version_argv=("{tool}", "-e", 'print((io.popen("{tool} -v"):read("a"):match("Lua [%d.]+")))'),
    trial="print(6 * 7)\n",
    source_check=_SOURCE_CHECK,
    refusals=(f"{INTERPRETER}: ".encode(),),
)
