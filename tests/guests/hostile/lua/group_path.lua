-- expect: AC
-- attack: T29 group_path: learns where it stands in the host's control groups, and tries to make its own
-- control: cgroup_namespace
local groups = io.open("/proc/self/cgroup"):read("a")
if groups:find("rustbox-", 1, true) then print("ESCAPED is in " .. groups) end
for _, place in ipairs({ "/sys/fs/cgroup", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory" }) do
  if os.execute("mkdir " .. place .. "/own 2>/dev/null") then print("ESCAPED made a group") end
end
