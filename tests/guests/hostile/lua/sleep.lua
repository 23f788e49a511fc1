-- expect: TLE
-- attack: T17 sleep: waits for a child that sleeps
-- control: wall_limit
io.popen("sleep 1.2"):close()
print("ESCAPED waited 1.2 s")
