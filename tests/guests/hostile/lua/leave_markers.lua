-- expect: AC
-- attack: T7 leave_markers: leaves files for the next run, and looks for those of an earlier one
-- control: private_mounts
local function said(command)
  local pipe <close> = io.popen(command)
  return pipe:read("a")
end

for _, place in ipairs({ "/tmp", "/dev/shm", "." }) do
  local left = said("ls -A -I solution.lua " .. place)
  if left ~= "" then print("ESCAPED found in " .. place .. ": " .. left) end
  io.open(place .. "/marker-of-lua", "w"):write("left by an earlier run"):close()
end
