// expect: AC
// attack: T6 inode_bomb: empty files, which no byte limit counts
// control: inode_limit
const fs = require("fs");
try {
  for (let i = 0; i < 20_000; i++) fs.closeSync(fs.openSync(`/tmp/${i}`, "w"));
  console.log("ESCAPED made 20000 files");
} catch {}
