-- expect: PLE
-- attack: T8 thread_bomb: opens one pipe after the other, with a process at each end
-- control: process_limit
local pipes = {}
for i = 1, 30 do
  -- An error would close the pipes, and wait for their processes.
  pipes[i] = io.popen("sleep 100 | cat", "w") or os.exit(4)
  pipes[i]:setvbuf("no")
  if not pipes[i]:write("x") then os.exit(5) end
end
os.execute("sleep 0.2")
local counting = io.popen("ls /proc | grep -c '^[0-9]'") or os.exit(6)
local alive = counting:read("n") or os.exit(7)
if alive > 60 then print("ESCAPED has " .. alive .. " processes") end
os.exit(8)
