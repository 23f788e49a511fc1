// expect: AC
// attack: T6 descriptor_bomb: opens the same file again and again
// control: rlimits
const fs = require("fs");
try {
  for (let i = 0; i < 300; i++) fs.openSync("/dev/null");
  console.log("ESCAPED has 300 descriptors");
} catch {}
