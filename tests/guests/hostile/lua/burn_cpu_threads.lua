-- expect: TLE
-- attack: T17 burn_cpu_threads: four processes share the work
-- control: cpu_limit
local parts = {}
for i = 1, 4 do
  parts[i] = io.popen("exec lua5.4 -e 'while os.clock() < 0.2 do end print(1)'")
end
for i = 1, 4 do parts[i]:read("a") end
print("ESCAPED four processes burnt 0.8 s of CPU time")
