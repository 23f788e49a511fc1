# expect: AC
# attack: T29 read_proc: learns about the machine and its other processes
# control: proc_subset
for name in cpuinfo meminfo version uptime loadavg stat keys kcore kallsyms modules interrupts sys/kernel/hostname \
  sys/kernel/core_pattern 1/status 1/cmdline 1/maps; do
  if { : <"/proc/$name"; } 2>/dev/null; then echo "ESCAPED read $name"; fi
done
