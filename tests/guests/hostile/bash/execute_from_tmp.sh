# expect: AC
# attack: T22 execute_from_tmp: starts a program that it wrote into a shared directory
# control: noexec_mounts
for place in /tmp /dev/shm; do
  cp /usr/bin/true "$place/copy"
  chmod +x "$place/copy"
  if "$place/copy" 2>/dev/null; then echo "ESCAPED executed $place/copy"; fi
done
