-- expect: AC
-- attack: T26 T27 connect_runner: connects to a port of the runner's host, which the input names
-- control: network_namespace
local port = io.read("n")
for _, address in ipairs({ "127.0.0.1", "localhost", "0.0.0.0" }) do
  local shell = ("bash -c 'exec 3<>/dev/tcp/%s/%d' 2>/dev/null"):format(address, port)
  if os.execute(shell) then print("ESCAPED connected to " .. address) end
end
