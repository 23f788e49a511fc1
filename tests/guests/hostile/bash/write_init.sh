# expect: AC
# attack: T31 write_init: writes to the memory and the settings of process 1
# alone: several controls: the user id, hidden processes, and a root of its own
for name in mem oom_score_adj comm clear_refs environ maps fd/3 ns/mnt; do
  if { : <"/proc/1/$name"; } 2>/dev/null; then echo "ESCAPED opened $name"; fi
  if { : >>"/proc/1/$name"; } 2>/dev/null; then echo "ESCAPED may write $name"; fi
done
if { echo -1000 >/proc/self/oom_score_adj; } 2>/dev/null; then echo "ESCAPED is safe from the kernel's choice"; fi
