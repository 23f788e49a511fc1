# expect: TLE
# attack: T17 sleep: uses no CPU time and takes a slot for as long as it likes
# control: wall_limit
import time

time.sleep(1.2)
print("ESCAPED slept 1.2 s")
