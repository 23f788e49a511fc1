-- expect: AC
-- attack: T26 connect_out: reaches for any address by way of a shell; each try must fail at once with an errno
-- control: unreachable_network
local function said(command)
  local pipe <close> = io.popen(command)
  return pipe:read("a")
end

local began = os.time()
for _, address in ipairs({ "1.1.1.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "127.0.0.1", "::1", "2606:4700::1111" }) do
  for _, kind in ipairs({ "tcp", "udp" }) do
    local answer = said(("bash -c 'echo x >/dev/%s/%s/80' 2>&1"):format(kind, address))
    if answer == "" or answer:find("refused") then print("ESCAPED reached " .. address) end
  end
end
if os.time() - began > 4 then print("ESCAPED a refusal took its time") end
