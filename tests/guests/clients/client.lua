-- Input: lines of `case scheme host port`. Output: `case: answer` or `case: error`. Lua has no sockets of its own.
local SHELL = [[bash -c '
trap "" PIPE # a write to a connection that was reset would end the shell without a word
exec 3<>"/dev/tcp/$0/$1" || exit
printf "GET / HTTP/1.0\r\n\r\n" >&3
timeout "$2" cat <&3 || { (($? != 124)) || echo "timed out"; }
' %s %s %d 2>&1]]
for line in io.lines() do
  local name, scheme, host, port = line:match("^(%S+) (%S+) (%S+) (%d+)$")
  if scheme == "http" then
    local said = io.popen(SHELL:format(host, port, name == "silent" and 1 or 20)):read("a")
    print(name .. ": " .. (said:match("\r\n\r\n(.*)$") or said):gsub("%s+$", ""):gsub("\n", " "))
  end
end
