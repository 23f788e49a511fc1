// expect: RE SIG
// attack: T14 error_flood: the same on the error stream
// control: output_limit
import { writeSync } from "node:fs";

const complaint: string = "error: ".repeat(10_000);
for (let i = 0; i < 10; i++) writeSync(2, complaint);
console.log("ESCAPED wrote 700 KB of errors");
