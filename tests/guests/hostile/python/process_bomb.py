# expect: PLE
# attack: T8 process_bomb: starts children that stay
# control: process_limit
import os
import signal

for _ in range(60):
    if os.fork() == 0:
        os.setsid()
        signal.pause()
print("ESCAPED has 60 children")
