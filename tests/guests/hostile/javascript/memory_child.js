// expect: MLE
// attack: T16 memory_child: a child eats, and the parent hides its death behind exit code 0
// control: memory_limit
const { spawnSync } = require("child_process");
const child = spawnSync("/bin/sh", ["-c", "head -c 320M /dev/zero | tail -n 1 | wc -c"]);
if (Number(child.stdout) === 320 << 20) console.log("ESCAPED a child held 320 MiB");
setTimeout(() => {}, 500);
