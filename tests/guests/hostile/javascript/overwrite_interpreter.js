// expect: AC
// attack: T31 overwrite_interpreter: writes into the engine that runs it, by the link in /proc
// alone: the host's files are read-only in every jail, weakened or not
const fs = require("fs");
for (const path of ["/proc/self/exe", process.execPath]) {
  try {
    fs.writeSync(fs.openSync(path, "r+"), "changed");
    console.log("ESCAPED wrote", path);
  } catch {}
}
