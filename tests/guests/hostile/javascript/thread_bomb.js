// expect: PLE SIG RE TLE
// attack: T8 thread_bomb: workers, each with a heap and threads of its own
// control: process_limit
const url = URL.createObjectURL(new Blob(["postMessage('here')"], { type: "application/javascript" }));
let here = 0;
for (let i = 0; i < 24; i++) {
  const worker = new Worker(url);
  worker.onerror = () => process.exit(1);
  worker.onmessage = () => {
    if (++here < 24) return;
    console.log("ESCAPED has 24 workers");
    process.exit(0);
  };
}
