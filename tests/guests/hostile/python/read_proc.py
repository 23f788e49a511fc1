# expect: AC
# attack: T29 read_proc: learns about the machine and its other processes
# control: proc_subset
for name in (
    "cpuinfo", "meminfo", "version", "uptime", "loadavg", "stat", "keys", "kcore", "kallsyms", "modules", "interrupts",
    "sys/kernel/hostname", "sys/kernel/core_pattern", "net/tcp/../../../cpuinfo", "1/status", "1/cmdline", "1/maps", "1/stack",
):
    try:
        open(f"/proc/{name}", "rb").read(10)
    except OSError:
        continue
    print("ESCAPED read", name)
