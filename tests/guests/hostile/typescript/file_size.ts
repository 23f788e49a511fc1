// expect: RE FSE
// attack: T6 file_size: a file that is appended to
// control: rlimits
import { appendFileSync, statSync } from "node:fs";

const part: Uint8Array = new Uint8Array(256 << 10).fill(65);
for (let i = 0; i < 16; i++) appendFileSync("log", part);
if (statSync("log").size !== 4 << 20) throw new Error("cut short");
console.log("ESCAPED made a file of 4 MiB");
