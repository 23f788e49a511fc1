# expect: TLE
# attack: T17 uses no CPU and never ends
import time

time.sleep(1000)
