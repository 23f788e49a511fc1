-- expect: AC
-- attack: T5 read_host_files: reads what is the host's
-- control: mount_namespace
local function said(command)
  local pipe <close> = io.popen(command)
  return pipe:read("a")
end

local paths = { "/etc/passwd", "/etc/shadow", "/etc/hostname", "/root", "/home", "/var/lib", "/run", "/sys/kernel", "/boot" }
table.move({ "/old", "/dev/mem", "/proc/1/environ", "/proc/1/root", "/var/run/docker.sock" }, 1, 5, #paths + 1, paths)
for _, path in ipairs(paths) do
  local file = io.open(path)
  local seen = file and file:read(10) or said("ls -A " .. path .. " 2>/dev/null")
  if seen and seen ~= "" then print("ESCAPED " .. path .. " " .. seen) end
end
for _, name in ipairs({ "/etc/passwd", "/etc/group" }) do
  if loadfile(name) or pcall(io.lines, name) then print("ESCAPED read " .. name) end
end
