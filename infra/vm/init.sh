#!/bin/sh
# Process 1 of the test machine: mounts, the test command, power off.
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/shm
mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root PYTHONPATH=/site PYTHONDONTWRITEBYTECODE=1 RUSTBOX_TEST_SLOWNESS=15
# The loopback is down here, so a shared network shows nothing.
export RUSTBOX_TEST_UNPROVABLE=network_namespace
cd /project || exit 1
echo "controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
if sh /command.sh; then code=0; else code=1; fi
echo "VM-EXIT $code"
sync
echo o >/proc/sysrq-trigger
sleep 30
