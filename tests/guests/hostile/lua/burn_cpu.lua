-- expect: TLE
-- attack: T9 T17 burn_cpu: computes in one coroutine after the other
-- control: cpu_limit
while os.clock() < 0.7 do
  local step = coroutine.wrap(function()
    for i = 1, 10000 do coroutine.yield(i * i) end
  end)
  for _ = 1, 10000 do step() end
end
print("ESCAPED burnt 0.7 s of CPU time")
