// expect: AC
// attack: T29 read_proc: asks the runtime about the machine, and the files that it would ask
// control: proc_subset
import { existsSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";

const files: string[] = ["cpuinfo", "meminfo", "loadavg", "stat", "version", "filesystems"].filter((name) => existsSync(`/proc/${name}`));
if (files.length > 0) console.log("ESCAPED read", files);
try {
  if (cpus().some(({ model }) => /Intel|AMD|ARM/.test(model))) console.log("ESCAPED the processor is", cpus()[0].model);
} catch {}
console.log([typeof loadavg(), typeof totalmem()].join(" "));
