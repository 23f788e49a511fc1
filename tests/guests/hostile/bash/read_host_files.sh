# expect: AC
# attack: T5 read_host_files: reads what is the host's
# control: mount_namespace
for path in /etc/passwd /etc/shadow /etc/hostname /root /home /var/lib /run /sys/kernel /boot /old /dev/mem \
  /proc/1/environ /proc/1/root /proc/1/cwd /var/run/docker.sock ~root; do
  if [[ -d $path ]]; then seen=$(ls -A "$path"); else seen=$(head -c 10 "$path"); fi 2>/dev/null
  if [[ -n $seen ]]; then echo "ESCAPED $path $seen"; fi
done
if getent passwd root >/dev/null; then echo "ESCAPED knows the users"; fi
