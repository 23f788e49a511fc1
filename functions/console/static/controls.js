// What each control of the sandbox does to a program, for the evidence drawer.

const CONTROLS = {
  pid_namespace: ["Own process list", "The program sees its own processes only, and can signal no other."],
  mount_namespace: ["Own file tree", "The program sees a file tree that was made for this run."],
  network_namespace: ["No network", "There is no network interface. Connecting and looking up names fail at once."],
  ipc_namespace: ["Own shared memory", "Queues and shared memory of other programs do not exist for this one."],
  uts_namespace: ["Own host name", "The program cannot read or change the name of the host."],
  cgroup_namespace: ["Hidden control groups", "The program cannot see which limits the host sets for others."],
  user_namespace: ["Own user numbers", "The users of the program are no users of the host."],
  memory_limit: ["Memory limit", "The kernel counts all memory of the run, and ends the run at its limit."],
  process_limit: ["Process limit", "The kernel refuses more processes and threads than the limit."],
  cpu_limit: ["CPU limit", "The CPU time of all processes and threads counts together."],
  cpu_share: ["Fair CPU share", "While the host is busy, each run gets the same share of the CPUs."],
  unprivileged_user: ["Not root", "The program runs as a user without rights."],
  dedicated_user: ["A user of its own", "No other run has the same user, so none can touch its processes."],
  no_capabilities: ["No capabilities", "None of root's single rights is left."],
  no_new_privileges: ["No way up", "No program file can give the run more rights, setuid files included."],
  seccomp: ["System call filter", "Only system calls that ordinary programs need reach the kernel."],
  read_only_root: ["Read-only files", "Everything but the run's own folders is read-only."],
  private_mounts: ["Private folders", "Working folder, /tmp and /dev/shm are new, limited, and gone after the run."],
  own_inodes: ["No shared files", "The program opens no file that another run has open."],
  rlimits: ["Resource limits", "Open files, file sizes and processes have limits, as getrlimit shows."],
};

const NAMED = ["Own network", "The program reaches the hosts that its request names, through the runner, and nothing else."];

/** `hasNetwork`: the request of the run names hosts. */
export const describeControl = (name, hasNetwork) =>
  (hasNetwork && name === "network_namespace" ? NAMED : CONTROLS[name]) ?? [name.replaceAll("_", " "), "A control of this runner."];
