// expect: PLE SIG RE TLE
// attack: T8 thread_bomb: workers that start workers
// control: process_limit
const source = `
  onmessage = ({ data: [url, depth] }) => {
    if (depth === 0) return postMessage("ready");
    const next = new Worker(url);
    next.onerror = () => postMessage("failed");
    next.onmessage = ({ data }) => postMessage(data);
    next.postMessage([url, depth - 1]);
  };`;
const url: string = URL.createObjectURL(new Blob([source], { type: "application/javascript" }));
const first = new Worker(url);
first.onerror = (): never => process.exit(1);
first.onmessage = ({ data }: MessageEvent<string>): void => {
  if (data === "ready") console.log("ESCAPED has a chain of 24 workers");
  process.exit(data === "ready" ? 0 : 1);
};
first.postMessage([url, 24]);
