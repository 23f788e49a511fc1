# expect: AC
# attack: T11 an orphan in its own session keeps stdout open after the program ended
import os
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
print("done", flush=True)
