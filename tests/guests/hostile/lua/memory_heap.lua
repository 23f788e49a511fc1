-- expect: MLE
-- attack: T16 memory_heap: strings in a table
-- control: memory_limit
local kept = {}
for i = 1, 330 do kept[i] = ("x"):rep(1 << 20) end
print("ESCAPED holds " .. #kept .. " MB of text")
