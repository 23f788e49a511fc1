# expect: AC
# attack: T22 process_status: reads in /proc what holds it, and finds no gap
# control: seccomp
status = dict(line.rstrip("\n").split(":\t", 1) for line in open("/proc/self/status") if ":\t" in line)
if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
    print("ESCAPED", status["NoNewPrivs"], status["Seccomp"])
for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    if int(status[name], 16):
        print("ESCAPED", name, status[name])
