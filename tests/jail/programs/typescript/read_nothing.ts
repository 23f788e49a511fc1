// expect: TLE
// attack: T11 T17 read_nothing: its child is over at once, but an orphan holds the pipe that it reads
// control: wall_limit
import { spawnSync } from "node:child_process";

const begun: number = performance.now();
spawnSync("/bin/sh", ["-c", "sleep 2.4 & exit 0"]);
if (performance.now() - begun > 2000) console.log("ESCAPED read for 2.4 s");
