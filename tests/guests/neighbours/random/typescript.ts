const value: Uint32Array = crypto.getRandomValues(new Uint32Array(2));
console.log(value.join());
