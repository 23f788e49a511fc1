import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from sandbox_runtime.jail import advice, probe_host, read_facts, syscalls
from sandbox_runtime.jail.controls import own_inodes
ours, own_inodes.SOURCE = own_inodes.SOURCE, "overlay"
os.unshare(os.CLONE_NEWNS)
syscalls.mount("", "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
for _ in range(int(sys.argv[2])):
    files = own_inodes.HostFiles(Path("/sys"))
    files.show_tree(Path("/usr"), Path("/usr"))
    files.close()
own_inodes.SOURCE = ours
support = probe_host()
print(*support.missing)
print(*(line for line in advice(read_facts(), support) if "own_inodes" in line))
