-- expect: PLE
-- attack: T8 process_bomb: starts children that stay
-- control: process_limit
os.execute("for i in $(seq 60); do sleep 100 & done; echo 60 >started")
local started = io.open("started")
if not started then os.exit(3) end
print("ESCAPED has " .. started:read("a") .. " children")
