# expect: AC
# attack: T7 write_outside: leaves files where every later run would see them
# control: read_only_root
for path in /planted /etc/planted /dev/planted /usr/bin/planted /opt/planted /proc/planted /etc/alternatives/planted; do
  if { : >"$path"; } 2>/dev/null; then echo "ESCAPED wrote $path"; fi
done
