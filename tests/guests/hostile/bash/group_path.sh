# expect: AC
# attack: T29 group_path: learns where it stands in the host's control groups, and tries to make its own
# control: cgroup_namespace
groups=$(</proc/self/cgroup)
if [[ $groups == *rustbox-* ]]; then echo "ESCAPED is in $groups"; fi
for place in /sys/fs/cgroup /sys/fs/cgroup/*; do
  if mkdir "$place/own" 2>/dev/null; then echo "ESCAPED made a group"; fi
done
