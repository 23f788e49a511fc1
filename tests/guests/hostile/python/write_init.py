# expect: AC
# attack: T31 write_init: writes to the memory and the settings of process 1
# alone: several controls: the user id, hidden processes, and a root of its own
import os

for name in ("mem", "oom_score_adj", "comm", "clear_refs", "environ", "maps", "fd/3", "map_files", "ns/mnt"):
    for mode in (os.O_RDWR, os.O_RDONLY):
        try:
            os.open(f"/proc/1/{name}", mode)
        except OSError:
            continue
        print("ESCAPED opened", name)
try:
    with open("/proc/self/oom_score_adj", "w") as stream:
        stream.write("-1000")
    print("ESCAPED is safe from the kernel's choice")
except OSError:
    pass
