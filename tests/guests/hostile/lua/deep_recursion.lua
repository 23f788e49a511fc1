-- expect: RE SIG MLE
-- attack: T20 deep_recursion: a pattern, a sort and a parser that call deeper and deeper
-- alone: it meets the interpreter's own bounds, in a jail or not
print(pcall(string.find, ("a"):rep(300000), (".-"):rep(300000) .. "b"))
print(pcall(load, ("("):rep(1000000)))
local function deeper(level)
  table.sort({ 1, 2 }, function() return deeper(level + 1) < level end)
  return level
end
deeper(0)
