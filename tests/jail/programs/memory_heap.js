// expect: MLE
// attack: T16 heap of the JavaScript engine and its array buffers
const blocks = [];
for (;;) blocks.push(new Uint8Array(16 << 20).fill(1));
