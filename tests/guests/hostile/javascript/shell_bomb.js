// expect: PLE RE
// attack: T8 shell_bomb: a shell that starts itself twice, for ever
// alone: without the limit it would never end
const { spawnSync } = require("child_process");
const done = spawnSync("/bin/sh", ["-c", "bomb() { bomb | bomb & }; bomb; sleep 0.3; exit 7"]);
process.exit(done.status ?? 9);
