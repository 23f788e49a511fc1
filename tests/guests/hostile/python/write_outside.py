# expect: AC
# attack: T7 write_outside: leaves files where every later run would see them
# control: read_only_root
for path in (
    "/planted", "/etc/planted", "/dev/planted", "/usr/bin/planted", "/usr/lib/python3/dist-packages/planted.py",
    "/opt/planted", "/proc/planted", "/etc/alternatives/planted",
):
    try:
        open(path, "w").close()
    except OSError:
        continue
    print("ESCAPED wrote", path)
