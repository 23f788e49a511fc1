-- expect: AC
-- attack: T22 execute_from_tmp: starts a program that it wrote into a shared directory, and loads machine code from there
-- control: noexec_mounts
local code = io.open("/usr/bin/true", "rb"):read("a")
for _, place in ipairs({ "/tmp", "/dev/shm" }) do
  local file = io.open(place .. "/copy", "wb")
  file:write(code)
  file:close()
  os.execute("chmod +x " .. place .. "/copy")
  if os.execute(place .. "/copy 2>/dev/null") then print("ESCAPED executed " .. place .. "/copy") end
end
