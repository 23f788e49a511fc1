# expect: TLE
# attack: T17 sleep: uses no CPU time and takes a slot for as long as it likes
# control: wall_limit
import time

time.sleep(2.4)
print("ESCAPED slept 2.4 s")
