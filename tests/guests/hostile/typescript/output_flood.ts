// expect: RE SIG
// attack: T14 output_flood: lines without end, each written at once
// control: output_limit
import { writeSync } from "node:fs";

for (let line = 0; line < 9000; line++) writeSync(1, `${line} ${"=".repeat(70)}\n`);
writeSync(1, "ESCAPED wrote 670 KB\n");
