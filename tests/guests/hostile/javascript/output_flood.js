// expect: RE SIG
// attack: T14 output_flood: more output than may be kept, in one line
// control: output_limit
const fs = require("fs");
const block = "y".repeat(65536);
for (let i = 0; i < 10; i++) fs.writeSync(1, block);
fs.writeSync(1, "\nESCAPED wrote 640 KiB\n");
