-- expect: MLE
-- attack: T16 memory_child: a child eats, and the program hides its death behind exit code 0
-- control: memory_limit
local child = [[lua5.4 -e 'local kept = {} for i = 1, 320 do kept[i] = ("x"):rep(1 << 20) end print(#kept)']]
local held = io.popen(child):read("n")
if held == 320 then print("ESCAPED a child held 320 MiB") end
os.execute("sleep 1")
os.exit(0)
