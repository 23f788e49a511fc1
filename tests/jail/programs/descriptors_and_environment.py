# expect: AC
# attack: T23 T29 looks for descriptors, secrets and other processes; prints ESCAPED for each find
import os

opened = set(os.listdir("/proc/self/fd"))
for number in sorted(int(name) for name in opened):
    if number > 2:
        try:
            os.fstat(number)
        except OSError:
            continue
        if not os.readlink(f"/proc/self/fd/{number}").endswith("/fd"):
            print("ESCAPED descriptor", number, os.readlink(f"/proc/self/fd/{number}"))
allowed = {"PATH", "HOME", "LANG"}
if set(os.environ) - allowed - {key for key in os.environ if key.startswith("PYTHON")}:
    print("ESCAPED environment", sorted(os.environ))
if any("AWS" in key or "TOKEN" in key for key in os.environ):
    print("ESCAPED secret", sorted(os.environ))
pids = {name for name in os.listdir("/proc") if name.isdigit()}
if pids != {str(os.getpid())}:
    print("ESCAPED pids", pids)
if os.getuid() == 0 or os.getgid() == 0 or os.getgroups():
    print("ESCAPED identity", os.getuid(), os.getgid(), os.getgroups())
if os.uname().nodename != "rustbox-sandbox":
    print("ESCAPED hostname", os.uname().nodename)
