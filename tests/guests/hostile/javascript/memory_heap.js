// expect: MLE
// attack: T16 memory_heap: objects of the engine's own heap
// control: memory_limit
const kept = [];
for (let i = 0; i < 4_000_000; i++) kept.push({ i, text: "text " + i });
console.log("ESCAPED holds", kept.length, "objects");
