-- expect: AC
-- attack: T29 environment: looks for credentials in its own environment and in that of process 1
-- control: clean_environment
local known = { PATH = true, HOME = true, LANG = true }
local own = io.open("/proc/self/environ"):read("a")
for entry in own:gmatch("[^\0]+") do
  if not known[entry:match("^[^=]*")] then print("ESCAPED found " .. entry) end
end
for _, name in ipairs({ "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "RUNNER_TOKEN", "SECRET" }) do
  if os.getenv(name) then print("ESCAPED found " .. name) end
end
if io.open("/proc/1/environ") then print("ESCAPED read the environment of process 1") end
