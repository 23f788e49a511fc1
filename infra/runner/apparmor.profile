# Docker's default profile, with mounts, pivot_root and only the runner's capabilities allowed.
# net_admin and net_bind_service: the maker of net namespaces uses them in its own user namespaces. The container has
# neither, so nobody has them over the host's network.
#include <tunables/global>

profile rustbox-runner flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>

  network,
  file,
  umount,
  mount,
  pivot_root,

  capability sys_admin,
  capability sys_chroot,
  capability setuid,
  capability setgid,
  capability setpcap,
  capability chown,
  capability kill,
  capability net_admin,
  capability net_bind_service,

  # Docker stops the container; the runner ends its guests.
  signal (receive) peer=unconfined,
  signal (send,receive) peer=rustbox-runner,
  ptrace (read,readby) peer=rustbox-runner,

  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,

  # sysfs's own directories: the runner builds the root of its guests on a tmpfs that it mounts over /sys.
  deny /sys/{block,bus,class,devices,hypervisor,kernel,module,power}/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
