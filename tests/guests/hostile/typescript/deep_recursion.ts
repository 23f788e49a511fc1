// expect: RE
// attack: T20 deep_recursion: a structure in which each part makes the next when it is written
// alone: it meets the stack's own end, in a jail or not
class Nested {
  toJSON(): { inner: Nested } {
    return { inner: new Nested() };
  }
}
console.log(JSON.stringify(new Nested()).length);
