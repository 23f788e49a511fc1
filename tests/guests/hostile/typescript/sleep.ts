// expect: TLE
// attack: T17 sleep: waits for a promise that is long in coming
// control: wall_limit
const later = (ms: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(ms), ms));
console.log(`ESCAPED waited ${await later(1200)} ms`);
