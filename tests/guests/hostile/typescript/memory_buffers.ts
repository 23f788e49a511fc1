// expect: MLE
// attack: T16 memory_buffers: one shared buffer that grows in place
// control: memory_limit
const total: number = 320 << 20;
const shared = new SharedArrayBuffer(total);
const view = new Float64Array(shared);
for (let at = 0; at < view.length; at += 512) view[at] = 1;
console.log(`ESCAPED holds ${shared.byteLength} bytes`);
