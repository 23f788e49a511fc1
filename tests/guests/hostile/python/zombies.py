# expect: PLE
# attack: T10 zombies: children that end and are never waited for
# control: process_limit
import os

for _ in range(60):
    if os.fork() == 0:
        os._exit(0)
print("ESCAPED left 60 zombies")
