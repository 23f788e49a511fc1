# expect: AC
# attack: T25 own_limits: reads its limits and tries to raise them
# control: rlimits
import resource

for name, expected in (("FSIZE", 1 << 20), ("NPROC", 10), ("NOFILE", 32), ("CORE", 0)):
    kind = getattr(resource, f"RLIMIT_{name}")
    soft, hard = resource.getrlimit(kind)
    if soft != expected:
        print("ESCAPED", name, "is", soft)
    try:
        resource.setrlimit(kind, (hard + 1, hard + 1))
        print("ESCAPED raised", name)
    except ValueError:
        pass
