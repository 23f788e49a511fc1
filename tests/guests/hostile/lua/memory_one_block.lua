-- expect: MLE RE
-- attack: T16 memory_one_block: one string that is larger than the limit, at once
-- control: memory_limit
local block = ("text"):rep(80 << 20)
print("ESCAPED holds " .. #block .. " bytes")
