-- expect: AC
-- attack: T26 resolve_name: names resolve to nothing, and at once
-- alone: a jail with the way out would ask servers that are not the test's
local began = os.time()
for _, name in ipairs({ "example.com", "metadata.google.internal", "host.docker.internal" }) do
  if os.execute("getent ahosts " .. name .. " >/dev/null") then print("ESCAPED resolved " .. name) end
end
if os.time() - began > 4 then print("ESCAPED a refusal took its time") end
