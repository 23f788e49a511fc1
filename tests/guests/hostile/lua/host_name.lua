-- expect: AC
-- attack: T29 host_name: learns the host's name
-- control: uts_namespace
for _, command in ipairs({ "uname -n", "hostname" }) do
  local name = io.popen(command .. " 2>/dev/null"):read("l") or "rustbox-sandbox"
  if name ~= "rustbox-sandbox" then print("ESCAPED the host is " .. name) end
end
