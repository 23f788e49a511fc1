-- expect: AC
-- attack: T8 T31 other_processes: looks for processes that are not its own, in /proc and by number
-- control: pid_namespace
local status = io.open("/proc/self/status"):read("a")
local own = status:match("\nPid:%s*(%d+)")
if status:match("\nPPid:%s*(%d+)") ~= "1" then print("ESCAPED has another parent") end
for pid = 2, 300 do
  if tostring(pid) ~= own and io.open("/proc/" .. pid .. "/stat") then print("ESCAPED sees " .. pid) end
end
local answers = io.popen("for pid in $(seq 2 300); do [ $pid = $$ ] || [ $pid = $PPID ] || kill -0 $pid; done 2>&1"):read("a")
for line in answers:gmatch("[^\n]+") do
  if not line:find("No such process") then print("ESCAPED found " .. line) end
end
