// expect: RE FSE
// attack: T6 file_size: one file larger than the limit
// control: rlimits
const fs = require("fs");
const file = fs.openSync("big", "w");
const block = Buffer.alloc(65536);
for (let i = 0; i < 64; i++) if (fs.writeSync(file, block) !== block.length) throw new Error("cut short");
console.log("ESCAPED made a file of 4 MiB");
