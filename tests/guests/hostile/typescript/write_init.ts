// expect: AC
// attack: T31 write_init: opens what /proc shows of its parent
// alone: several controls: the user id, hidden processes, and a root of its own
import { openSync } from "node:fs";

const parts: readonly string[] = ["mem", "oom_score_adj", "coredump_filter", "timerslack_ns", "attr/current", "fd/0", "fd/4", "root", "cwd", "task/1/mem"];
for (const part of parts) {
  for (const flags of ["r+", "r"] as const) {
    try {
      openSync(`/proc/${process.ppid}/${part}`, flags);
      console.log(`ESCAPED opened ${part}`);
    } catch {}
  }
}
