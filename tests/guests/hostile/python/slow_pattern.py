# expect: TLE
# attack: T17 T20 slow_pattern: one call into C that takes for ever and hears no signal
# control: cpu_limit
import re
import time

for length in range(20, 40):
    re.match("(a|a?)+$", "a" * length + "b")
    if time.process_time() > 0.7:
        break
print("ESCAPED matched for 0.7 s")
