#!/bin/sh
# Process 1 of the test machine: mounts, the test command, power off.
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/shm
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root PYTHONPATH=/project/.site
export RUSTBOX_TEST_OWN_MACHINE=1
cd /project || exit 1
# The hostile programs that reach the host's network once it is theirs need one that works. SIOCSIFFLAGS, IFF_UP.
python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 1))'
echo "vm: $(uname -r), up for $(cut -d. -f1 /proc/uptime) s, controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
# Through a pipe: a console would get the progress in a form that only a screen can show.
{ sh .command.sh; echo "VM-EXIT $?"; } 2>&1 | cat
echo o >/proc/sysrq-trigger
sleep 30
