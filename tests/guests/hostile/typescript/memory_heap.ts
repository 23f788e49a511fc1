// expect: MLE
// attack: T16 memory_heap: a map of the engine's own heap
// control: memory_limit
interface Entry {
  key: string;
  values: number[];
}
const entries = new Map<string, Entry>();
for (let i = 0; i < 1_500_000; i++) {
  const key = `key ${i}`;
  entries.set(key, { key, values: [i, i + 1, i + 2.5] });
}
console.log(`ESCAPED holds ${entries.size} entries`);
