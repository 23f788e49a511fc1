-- expect: FSE
-- attack: T6 file_size: one file larger than the limit
-- control: rlimits
local file = io.open("big", "w")
for _ = 1, 64 do file:write(("x"):rep(1 << 16)) end
file:close()
print("ESCAPED made a file of 4 MiB")
