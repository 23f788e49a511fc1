-- expect: AC
-- attack: T29 read_proc: learns about the machine and its other processes
-- control: proc_subset
local names = "cpuinfo meminfo version uptime loadavg stat keys kcore kallsyms modules interrupts"
  .. " sys/kernel/hostname sys/kernel/core_pattern 1/status 1/cmdline 1/maps"
for name in names:gmatch("%S+") do
  if io.open("/proc/" .. name) then print("ESCAPED read " .. name) end
end
