// expect: RE
// attack: T20 deep_recursion: uses up the stack
// alone: it meets the stack's own end, in a jail or not
const depth = (level) => 1 + depth(level + 1);
console.log(depth(0));
