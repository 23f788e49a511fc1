// expect: MLE
// attack: T16 memory_buffers: array buffers, which lie outside the heap
// control: memory_limit
const blocks = [];
for (let mib = 0; mib < 320; mib += 16) blocks.push(new Uint8Array(16 << 20).fill(1));
console.log("ESCAPED holds 320 MiB in", blocks.length, "buffers");
