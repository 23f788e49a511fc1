// expect: TLE
// attack: T17 sleep: a timer that is far away
// control: wall_limit
setTimeout(() => console.log("ESCAPED waited 1.2 s"), 1200);
