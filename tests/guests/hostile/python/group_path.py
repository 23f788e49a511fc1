# expect: AC
# attack: T29 group_path: learns where it stands in the host's control groups, and tries to make its own
# control: cgroup_namespace
import glob
import os

groups = open("/proc/self/cgroup").read()
if "rustbox-" in groups:
    print("ESCAPED is in", groups)
for place in glob.glob("/sys/fs/cgroup/*") or ["/sys/fs/cgroup"]:
    try:
        os.mkdir(f"{place}/own")
        print("ESCAPED made a group")
    except OSError:
        pass
