-- expect: AC
-- attack: T23 descriptors: looks for descriptors that the jail forgot to close
-- control: closed_descriptors
local pipe = io.popen("exec readlink $(seq -f /proc/$PPID/fd/%.0f 3 256)")
for found in pipe:lines() do
  -- The pipe to this child, and the script, which the interpreter holds open until it is read.
  if not found:find("^pipe:") and found ~= "/box/solution.lua" then print("ESCAPED was given " .. found) end
end
pipe:close()
