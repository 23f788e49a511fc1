-- expect: RE SIG AC
-- attack: T20 precompiled: runs bytes as precompiled code, which the interpreter does not check
-- alone: it corrupts its own memory, in a jail or not
-- A chunk that changes the instructions of another function at random: at worst it crashes its own process.
local code = string.dump(function(a, b) return a + b, { a, b }, tostring(a) end)
for seed = 1, 2000 do
  local place = 40 + seed * 7 % (#code - 60)
  local changed = code:sub(1, place) .. string.char(seed * 31 % 256) .. code:sub(place + 2)
  local made = load(changed, "changed", "b")
  if made then pcall(made, seed, 2) end
end
