
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
if (isMainThread) {
  const started = [...Array(4).keys()].map((i) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: i });
    worker.on('message', resolve);
    worker.on('error', reject);
  }));
  Promise.all(started).then((all) => { console.log(all.reduce((a, b) => a + b)); process.exit(0); });
} else {
  parentPort.postMessage(workerData);
}
