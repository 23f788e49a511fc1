import builtins, glob, os, sys, time
marker = sys.stdin.readline().strip()
print(getattr(sys, "left", ""), getattr(builtins, "left", ""), os.environ)
for place in ("/tmp", "/dev/shm", "."):
    print(os.listdir(place))
for pattern in ("/tmp/*", "/dev/shm/*", "./*", "/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline"):
    for path in glob.glob(pattern):
        try:
            print(open(path, errors="replace").read())
        except OSError:
            pass
for place in ("/tmp", "/dev/shm", "."):
    open(f"{place}/{marker}", "w").write(marker)
    if not os.path.lexists(f"{place}/link"):
        os.symlink("/etc/passwd", f"{place}/link")
os.chmod(f"/tmp/{marker}", 0)
sys.left = builtins.left = os.environ["MARKER"] = marker
