for _ = 1, 300 do
  local x = {}
  for i = 1, 1000 do x[i] = tostring(i):rep(20) end
end
print("ok")
