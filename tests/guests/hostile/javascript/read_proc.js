// expect: AC
// attack: T29 read_proc: learns about the machine and its other processes
// control: proc_subset
const fs = require("fs");
for (const name of ["cpuinfo", "meminfo", "version", "uptime", "loadavg", "stat", "sys/kernel/hostname", "1/status", "1/cmdline"]) {
  try {
    fs.readFileSync(`/proc/${name}`);
    console.log("ESCAPED read", name);
  } catch {}
}
