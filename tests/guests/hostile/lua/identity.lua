-- expect: AC
-- attack: T22 T29 identity: is it root, in a group of the host, or able to become root
-- control: unprivileged_user
local status = io.open("/proc/self/status"):read("a")
for kind, ids in status:gmatch("([UG]id):([^\n]*)") do
  for id in ids:gmatch("%d+") do
    if id == "0" then print("ESCAPED has " .. kind .. " 0") end
  end
end
if status:match("Groups:[ \t]*(%d)") then print("ESCAPED is in a group") end
for _, become in ipairs({ "su -c true", "sudo -n true", "setpriv --reuid=0 true", "unshare --map-root-user true" }) do
  if os.execute(become .. " </dev/null >/dev/null 2>&1") then print("ESCAPED by " .. become) end
end
