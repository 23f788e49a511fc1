# expect: AC
# attack: T1 T2 planted_links: replaces its own files and the names that the host writes with links out of the box
# control: read_only_root
rm solution.sh
ln -s /etc/passwd solution.sh
ln -s / stdin
mkfifo artifact
for attempt in "ln /usr/bin/env env" "mv /box /tmp/box" "rmdir /box" "ln -s / /planted"; do
  if $attempt 2>/dev/null; then echo "ESCAPED by $attempt"; fi
done
