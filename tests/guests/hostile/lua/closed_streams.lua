-- expect: AC
-- attack: T13 closed_streams: closes all three streams and goes on
-- alone: it attacks the supervisor, which has no part that could be left out
io.stdin:close()
io.stdout:close()
io.stderr:close()
local sum = 0
for i = 1, 1000 do sum = sum + i end
os.exit(sum == 500500)
