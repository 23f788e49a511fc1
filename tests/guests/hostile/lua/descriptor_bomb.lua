-- expect: AC
-- attack: T6 descriptor_bomb: opens the same file again and again
-- control: rlimits
local opened = {}
for i = 1, 300 do opened[i] = io.open("/dev/null") end
if #opened == 300 then print("ESCAPED has 300 descriptors") end
