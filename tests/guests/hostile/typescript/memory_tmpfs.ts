// expect: MLE
// attack: T6 T16 memory_tmpfs: fills every writable mount through the runtime's own writer
// control: memory_limit
const places: readonly string[] = ["/tmp", "/dev/shm", "/box"];
const block = new Uint8Array(1 << 20).fill(7);
for (let i = 0; i < 330; i++) await Bun.write(`${places[i % 3]}/part-${i}`, block);
console.log("ESCAPED stored 330 MiB in files");
