// expect: TLE
// attack: T11 T17 read_nothing: its child is over at once, but an orphan holds the pipe that it reads
// control: wall_limit
import { spawnSync } from "node:child_process";

const begun: number = performance.now();
spawnSync("/bin/sh", ["-c", "sleep 1.2 & exit 0"]);
if (performance.now() - begun > 1000) console.log("ESCAPED read for 1.2 s");
