// expect: TLE
// attack: T17 burn_cpu_threads: children of a shell share the work, outside the process that is waited for
// control: cpu_limit
import { spawnSync } from "node:child_process";

const loop: string = "i=0; while [ $i -lt 500000 ]; do i=$((i+1)); done";
const done = spawnSync("/bin/sh", ["-c", `(${loop}) & (${loop}) & wait; echo done`]);
if (done.stdout?.toString() === "done\n") console.log("ESCAPED two children counted to half a million");
