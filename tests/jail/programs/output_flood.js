// expect: TLE MLE RE SIG
// attack: T14 endless output through the runtime's own writer
const line = "y".repeat(65536);
for (;;) require("fs").writeSync(1, line);
