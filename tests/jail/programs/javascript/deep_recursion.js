// expect: RE
// attack: T20 deep_recursion: uses up the stack
const depth = (level) => 1 + depth(level + 1);
console.log(depth(0));
