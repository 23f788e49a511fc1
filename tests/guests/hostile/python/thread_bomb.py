# expect: PLE
# attack: T8 thread_bomb: threads count as processes
# control: process_limit
import os
import sys
import threading

hold = threading.Event()
for _ in range(60):
    threading.Thread(target=hold.wait, daemon=True).start()
print("ESCAPED has 60 threads")
sys.stdout.flush()
os._exit(0)
