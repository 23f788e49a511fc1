warn("@on")
local unused
print("ok")
