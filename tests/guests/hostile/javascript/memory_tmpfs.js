// expect: MLE
// attack: T6 T16 memory_tmpfs: fills every writable mount with files below the file size limit
// control: memory_limit
const fs = require("fs");
const block = Buffer.alloc(1 << 20, 1);
for (let i = 0; i < 330; i++) fs.writeFileSync(`${["/tmp", "/dev/shm", "."][i % 3]}/file${i}`, block);
console.log("ESCAPED stored 330 MiB in files");
