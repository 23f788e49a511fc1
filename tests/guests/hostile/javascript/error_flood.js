// expect: RE SIG
// attack: T14 error_flood: the same on the error stream
// control: output_limit
const fs = require("fs");
const block = Buffer.alloc(65536, 0xff);
for (let i = 0; i < 10; i++) fs.writeSync(2, block);
console.log("ESCAPED wrote 640 KiB of errors");
