// expect: TLE
// attack: T12 T17 block_forever: waits in a futex, where no signal handler of the engine runs
// control: wall_limit
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
console.log("ESCAPED was blocked for 1.2 s");
