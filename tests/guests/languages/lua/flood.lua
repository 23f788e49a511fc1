print("before")
local block = ("y"):rep(65536)
while true do io.write(block) end
