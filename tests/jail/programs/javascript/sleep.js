// expect: TLE
// attack: T17 sleep: a timer that is far away
// control: wall_limit
setTimeout(() => console.log("ESCAPED waited 2.4 s"), 2400);
