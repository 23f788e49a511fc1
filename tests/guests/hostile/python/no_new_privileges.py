# expect: AC
# attack: T22 no_new_privileges: would a setuid program raise it
# control: no_new_privileges
if "NoNewPrivs:\t1\n" not in open("/proc/self/status").readlines():
    print("ESCAPED may gain privileges")
