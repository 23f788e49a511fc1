// The same two hundred lines in every language: graphs, parsing, text, sorting, numbers, caches, classes.
const { readFileSync } = require("node:fs");

const PRIME = 1_000_000_007n;

class ExpressionError extends Error {}

class Parser {
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  parse() {
    const value = this.#expression();
    if (this.#peek()) throw this.#unexpected();
    return value;
  }

  #peek() {
    while (this.#text[this.#at] === " ") this.#at++;
    return this.#text[this.#at] ?? "";
  }

  #unexpected() {
    const symbol = this.#peek();
    return new ExpressionError(symbol ? `unexpected '${symbol}'` : "unexpected end");
  }

  #expression() {
    let value = this.#term();
    for (let symbol = this.#peek(); symbol === "+" || symbol === "-"; symbol = this.#peek()) {
      this.#at++;
      const right = this.#term();
      value = symbol === "+" ? value + right : value - right;
    }
    return value;
  }

  #term() {
    let value = this.#factor();
    for (let symbol = this.#peek(); symbol && "*/%".includes(symbol); symbol = this.#peek()) {
      this.#at++;
      const right = this.#factor();
      if (symbol === "*") value *= right;
      else if (right === 0) throw new ExpressionError("division by zero");
      else value = symbol === "/" ? Math.trunc(value / right) : value % right;
    }
    return value;
  }

  #factor() {
    const symbol = this.#peek();
    if (symbol === "-") {
      this.#at++;
      return -this.#factor();
    }
    if (symbol === "(") {
      this.#at++;
      const value = this.#expression();
      if (this.#peek() !== ")") throw this.#unexpected();
      this.#at++;
      return value;
    }
    const digits = /^\d+/.exec(this.#text.slice(this.#at));
    if (!digits) throw this.#unexpected();
    this.#at += digits[0].length;
    return Number(digits[0]);
  }
}

class Heap {
  #items = [];

  get size() {
    return this.#items.length;
  }

  push(item) {
    const items = this.#items;
    let i = items.push(item) - 1;
    for (let parent; i > 0 && items[(parent = (i - 1) >> 1)][0] > items[i][0]; i = parent) {
      [items[i], items[parent]] = [items[parent], items[i]];
    }
  }

  pop() {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (items.length === 0) return top;
    items[0] = last;
    for (let i = 0, child; (child = 2 * i + 1) < items.length; i = child) {
      if (child + 1 < items.length && items[child + 1][0] < items[child][0]) child++;
      if (items[child][0] >= items[i][0]) break;
      [items[i], items[child]] = [items[child], items[i]];
    }
    return top;
  }
}

function shortestPaths(graph) {
  const distances = graph.map(() => -1);
  const heap = new Heap();
  heap.push([0, 0]);
  while (heap.size) {
    const [distance, node] = heap.pop();
    if (distances[node] >= 0) continue;
    distances[node] = distance;
    for (const { target, weight } of graph[node]) heap.push([distance + weight, target]);
  }
  return distances;
}

function* randomNumbers(seed) {
  for (let value = seed; ; ) yield (value = (value * 48271) % 2147483647);
}

function mergeSort(items) {
  if (items.length < 2) return items;
  const middle = items.length >> 1;
  const [left, right] = [mergeSort(items.slice(0, middle)), mergeSort(items.slice(middle))];
  const merged = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) merged.push(left[i] <= right[j] ? left[i++] : right[j++]);
  return [...merged, ...left.slice(i), ...right.slice(j)];
}

function lowerBound(items, wanted) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function primesBelow(limit) {
  const composite = new Uint8Array(limit);
  const primes = [];
  for (let i = 2; i < limit; i++) {
    if (composite[i]) continue;
    primes.push(i);
    for (let j = i * i; j < limit; j += i) composite[j] = 1;
  }
  return primes;
}

class Cache {
  entries = new Map();
  hits = 0;
  misses = 0;

  constructor(capacity) {
    this.capacity = capacity;
  }

  use(key) {
    if (this.entries.delete(key)) this.hits++;
    else {
      this.misses++;
      if (this.entries.size === this.capacity) this.entries.delete(this.entries.keys().next().value);
    }
    this.entries.set(key, true);
  }
}

const multiply = (a, b, modulus) => a.map((row) => [0, 1].map((j) => (row[0] * b[0][j] + row[1] * b[1][j]) % modulus));

function fibonacci(n, modulus) {
  let [result, base] = [[[1, 0], [0, 1]], [[1, 1], [1, 0]]];
  for (; n; n >>= 1) {
    if (n & 1) result = multiply(result, base, modulus);
    base = multiply(base, base, modulus);
  }
  return result[0][1];
}

const factorial = (n) => (n < 2n ? 1n : n * factorial(n - 1n));

function queens(n, row = 0, columns = 0, left = 0, right = 0) {
  if (row === n) return 1;
  let count = 0;
  for (let free = ((1 << n) - 1) & ~(columns | left | right); free; free &= free - 1) {
    const bit = free & -free;
    count += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1);
  }
  return count;
}

class Shape {
  get area() {
    throw new Error("abstract");
  }
}

class Circle extends Shape {
  constructor(radius) {
    super();
    this.radius = radius;
  }
  get area() {
    return Math.floor((314 * this.radius ** 2) / 100);
  }
}

class Rectangle extends Shape {
  constructor(width, height) {
    super();
    Object.assign(this, { width, height });
  }
  get area() {
    return this.width * this.height;
  }
}

function main() {
  const lines = readFileSync(0, "utf8").split("\n");
  const [n, m] = lines.shift().split(" ").map(Number);
  const graph = Array.from({ length: n }, () => []);
  for (const line of lines.splice(0, m)) {
    const [source, target, weight] = line.split(" ").map(Number);
    graph[source].push({ target, weight });
  }
  console.log("dist:", shortestPaths(graph).join(" "));
  for (const line of lines.splice(0, Number(lines.shift()))) {
    try {
      console.log(`expr: ${line} = ${new Parser(line).parse()}`);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      console.log(`expr: ${line} error: ${error.message}`);
    }
  }
  const counts = new Map();
  for (const [word] of lines.join(" ").toLowerCase().matchAll(/[a-z]+/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const ranked = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).slice(0, 5);
  console.log("words:", ranked.map((pair) => pair.join("=")).join(" "));
  const numbers = randomNumbers(42);
  const next = () => numbers.next().value;
  const items = mergeSort(Array.from({ length: 2000 }, next));
  const checksum = items.reduce((sum, item, i) => (sum + BigInt(i + 1) * BigInt(item)) % PRIME, 0n);
  console.log("sorted:", items[0], items.at(-1), String(checksum), lowerBound(items, items[777]));
  const primes = primesBelow(20000);
  console.log("primes:", primes.length, primes.reduce((a, b) => a + b));
  const cache = new Cache(3);
  for (let i = 0; i < 200; i++) cache.use(next() % 6);
  console.log("cache:", cache.hits, cache.misses, "order", [...cache.entries.keys()].reverse().join(" "));
  console.log("fib:", fibonacci(1_000_000_000, 1_000_007));
  console.log("factorial:", String(factorial(30n)));
  console.log("queens:", queens(8));
  const shapes = [new Circle(10), new Rectangle(3, 4), new Circle(7), new Rectangle(5, 5)];
  const areas = shapes.map((shape) => shape.area);
  console.log("shapes:", areas.join(" "), "total", areas.reduce((a, b) => a + b));
}

main();
