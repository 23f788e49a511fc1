function f(n) { return f(n + 1) + 1; }
console.log('before');
console.log(f(0));