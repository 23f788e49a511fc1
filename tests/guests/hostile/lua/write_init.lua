-- expect: AC
-- attack: T31 write_init: writes to the memory and the settings of process 1
-- alone: several controls: the user id, hidden processes, and a root of its own
for _, name in ipairs({ "mem", "oom_score_adj", "comm", "clear_refs", "environ", "maps", "fd/3", "ns/mnt" }) do
  for _, mode in ipairs({ "r", "a", "r+" }) do
    if io.open("/proc/1/" .. name, mode) then print("ESCAPED opened " .. name .. " to " .. mode) end
  end
end
local own = io.open("/proc/self/oom_score_adj", "w")
if own and own:write("-1000") and own:flush() then print("ESCAPED is safe from the kernel's choice") end
