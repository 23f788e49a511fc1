-- expect: AC
-- attack: T25 own_limits: reads its limits and tries to raise them
-- control: rlimits
local expected = { ["Max processes"] = "10", ["Max open files"] = "64", ["Max core file size"] = "0", ["Max file size"] = "1048576" }
for line in io.lines("/proc/self/limits") do
  local name, hard = line:sub(1, 26):match("^(.-)%s*$"), line:sub(48):match("^%S+")
  if expected[name] and hard ~= expected[name] then print("ESCAPED the limit " .. name .. " is " .. hard) end
end
for _, option in ipairs({ "-n 65", "-f 2050", "-c 1" }) do
  if os.execute("ulimit " .. option .. " 2>/dev/null") then print("ESCAPED raised " .. option) end
end
