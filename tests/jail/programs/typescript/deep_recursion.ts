// expect: RE
// attack: T20 deep_recursion: a structure that contains itself a million times
// alone: it meets the stack's own end, in a jail or not
type Nested = { inner: Nested | null };
let value: Nested = { inner: null };
for (let i = 0; i < 1_000_000; i++) value = { inner: value };
console.log(JSON.stringify(value).length);
