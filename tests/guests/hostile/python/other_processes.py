# expect: AC
# attack: T8 T31 other_processes: looks for processes that are not its own, in /proc and by number
# control: pid_namespace
import os

own = {os.getpid(), 1}
listed = {int(name) for name in os.listdir("/proc") if name.isdigit()}
if listed - own:
    print("ESCAPED sees", listed - own)
if os.getppid() != 1:
    print("ESCAPED the parent is", os.getppid())
for pid in range(2, 300):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        continue
    except PermissionError:
        pass
    if pid not in own:
        print("ESCAPED found process", pid)
