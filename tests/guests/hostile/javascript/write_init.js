// expect: AC
// attack: T31 write_init: writes to the memory and the settings of process 1
// alone: several controls: the user id, hidden processes, and a root of its own
const fs = require("fs");
for (const name of ["mem", "oom_score_adj", "comm", "environ", "maps", "fd/3", "clear_refs"]) {
  for (const mode of ["r", "r+"]) {
    try {
      fs.openSync(`/proc/1/${name}`, mode);
      console.log("ESCAPED opened", name);
    } catch {}
  }
}
