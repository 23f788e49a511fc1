// What TypeScript adds to the JavaScript workload: types are removed, modules and enums work, and the same library is there.
import assert from 'node:assert';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';
import { setTimeout as pause } from 'node:timers/promises';

enum Colour { Red = 1, Green }
interface Part { readonly name: string; run(): Promise<void> }
abstract class Shape { constructor(protected readonly side: number) {} abstract area(): number }
class Square extends Shape { override area(): number { return this.side ** 2; } }
function pick<T, K extends keyof T>(from: T, key: K): T[K] { return from[key]; }

const parts: Part[] = [
  { name: 'language', async run(): Promise<void> {
    const value = { a: 1, b: ['x'] } as const satisfies Record<string, unknown>;
    assert.equal(pick(value, 'a') + Colour.Green + new Square(3).area(), 12);
  } },
  { name: 'files', async run(): Promise<void> {
    const directory: string = await mkdtemp('/tmp/part-');
    await writeFile(`${directory}/a`, 'typed');
    assert.equal(await readFile(`${directory}/a`, 'utf8'), 'typed');
    await rm(directory, { recursive: true });
    assert.equal(createHash('md5').update('').digest('hex').slice(0, 4), 'd41d');
  } },
  { name: 'processes and threads', async run(): Promise<void> {
    assert.equal(spawnSync('/bin/echo', ['typed']).stdout.toString(), 'typed\n');
    const worker = new Worker("require('node:worker_threads').parentPort.postMessage(7)", { eval: true });
    assert.equal(await new Promise<number>(resolve => worker.on('message', resolve)), 7);
    await worker.terminate();
    await pause(1);
    assert.ok(isMainThread && parentPort === null);
  } },
  { name: 'network', async run(): Promise<void> {
    await assert.rejects(fetch('http://192.0.2.1/'));
  } },
];

let failures = 0;
for (const part of parts) {
  try {
    await part.run();
    console.log('ok', part.name);
  } catch (error: unknown) {
    failures++;
    console.log('FAILED', part.name, error);
  }
}
process.exit(failures ? 1 : 0);
