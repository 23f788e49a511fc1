# expect: AC
# attack: T5 T29 read_mounts: learns from its mounts where things lie on the host
# control: mount_namespace
trees = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/dev", "/proc", "/tmp", "/box", "/opt", "/etc/alternatives"}
for line in open("/proc/self/mountinfo"):
    root, target = line.split()[3:5]
    if target != "/" and not any(target == tree or target.startswith(tree + "/") for tree in trees) and "/etc/java" not in target:
        print("ESCAPED", root, "is shown at", target)
