// What JavaScript programs use of Bun and of Node's library. Prints "ok <part>" or "FAILED <part> ..."; exit code 1 if any failed.
const assert = require('node:assert');
const childProcess = require('node:child_process');
const crypto = require('node:crypto');
const dgram = require('node:dgram');
const dns = require('node:dns');
const events = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const stream = require('node:stream');
const timers = require('node:timers/promises');
const util = require('node:util');
const vm = require('node:vm');
const workers = require('node:worker_threads');
const zlib = require('node:zlib');

const parts = {
  async values() {
    assert.equal(JSON.parse(JSON.stringify({ a: [1, 'ü'] })).a[1], 'ü');
    assert.equal(2n ** 100n % 97n, 16n);
    assert.equal(Buffer.from('aGk=', 'base64').toString(), 'hi');
    assert.equal(new TextDecoder().decode(new TextEncoder().encode('€')), '€');
    assert.equal(new URL('http://a/b?c=1').searchParams.get('c'), '1');
    assert.ok(new Intl.DateTimeFormat('de-DE').format(0) && new Date(0).toISOString());
    assert.deepEqual(structuredClone(new Map([[1, { a: 2 }]])).get(1), { a: 2 });
    assert.equal(vm.runInNewContext('a + 1', { a: 1 }), 2);
    assert.ok(util.inspect({ a: 1 }) && path.resolve('x') && performance.now() > 0);
    const wasm = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 7, 11]);
    assert.equal((await WebAssembly.instantiate(wasm)).instance.exports.f(), 7);
    const sum = Array.from({ length: 300000 }, (_, i) => ({ i })).reduce((total, { i }) => total + i, 0);
    assert.equal(sum, 44999850000);
  },
  async cryptography() {
    assert.equal(crypto.createHash('sha256').update('').digest('hex').slice(0, 4), 'e3b0');
    assert.equal(crypto.randomBytes(8).length, 8);
    assert.ok(crypto.randomUUID() !== crypto.randomUUID());
    assert.equal((await util.promisify(crypto.pbkdf2)('p', 's', 1000, 16, 'sha256')).length, 16);
    const key = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, true, ['sign']);
    assert.equal((await crypto.subtle.sign('HMAC', key, new Uint8Array(1))).byteLength, 32);
    assert.equal(zlib.gunzipSync(zlib.gzipSync('text')).toString(), 'text');
    assert.equal((await util.promisify(zlib.deflate)('text')).length > 0, true);
  },
  async files() {
    fs.mkdirSync('made/deep', { recursive: true });
    fs.writeFileSync('made/a', 'hello');
    fs.appendFileSync('made/a', ' world');
    fs.linkSync('made/a', 'made/b');
    fs.symlinkSync('a', 'made/c');
    fs.renameSync('made/b', 'made/d');
    fs.copyFileSync('made/a', 'made/e');
    fs.cpSync('made', 'copied', { recursive: true });
    assert.equal(fs.readlinkSync('made/c'), 'a');
    assert.equal(fs.realpathSync('made/c'), path.resolve('made/a'));
    for (const change of [p => fs.chmodSync(p, 0o600), p => fs.utimesSync(p, 1, 2), p => fs.truncateSync(p, 5), p => fs.chownSync(p, process.getuid(), process.getgid()), p => fs.accessSync(p)]) change('made/a');
    fs.lchownSync('made/c', process.getuid(), process.getgid()), fs.lutimesSync('made/c', 1, 2);
    const fd = fs.openSync('made/a', 'r+');
    fs.writeSync(fd, 'H', 0), fs.writevSync(fd, [Buffer.from('x'), Buffer.from('y')]), fs.fsyncSync(fd), fs.fdatasyncSync(fd), fs.ftruncateSync(fd, 3);
    fs.fchmodSync(fd, 0o644), fs.fchownSync(fd, process.getuid(), process.getgid()), fs.futimesSync(fd, 1, 2);
    assert.equal(fs.readSync(fd, Buffer.alloc(3), 0, 3, 0), 3);
    assert.equal(fs.readvSync(fd, [Buffer.alloc(1), Buffer.alloc(2)], 0), 3);
    assert.equal(fs.fstatSync(fd).size, 3);
    fs.closeSync(fd);
    assert.ok(fs.statSync('made').isDirectory() && fs.lstatSync('made/c').isSymbolicLink() && fs.statfsSync('/tmp').bsize);
    assert.deepEqual(fs.readdirSync('made').sort(), ['a', 'c', 'd', 'deep', 'e']);
    assert.ok(fs.readdirSync('made', { withFileTypes: true, recursive: true }).length === 5);
    fs.rmSync('copied', { recursive: true }), fs.unlinkSync('made/e'), fs.rmdirSync('made/deep');
    assert.ok(fs.mkdtempSync('/tmp/part-'));
    await fs.promises.writeFile('/tmp/p', 'x'.repeat(300000));
    assert.equal((await fs.promises.readFile('/tmp/p')).length, 300000);
    await stream.promises.pipeline(fs.createReadStream('/tmp/p'), zlib.createGzip(), fs.createWriteStream('/tmp/p.gz'));
    fs.writeFileSync('made/new', '');
    await new Promise(resolve => { fs.watchFile('made/a', { interval: 10 }, () => {}); setTimeout(() => { fs.unwatchFile('made/a'); resolve(); }, 30); });
    fs.rmSync('made', { recursive: true });
    assert.equal(await Bun.write('/tmp/blob', 'text'), 4);
    await Bun.write('/tmp/blob-copy', Bun.file('/tmp/blob'));
    assert.equal(await Bun.file('/tmp/blob-copy').text(), 'text');
    const { Database } = require('bun:sqlite');
    const database = new Database('/tmp/data.db');
    database.run('create table t (x)'), database.run('insert into t values (5)');
    assert.equal(database.query('select x from t').get().x, 5);
    database.close();
  },
  async timers() {
    await timers.setTimeout(2);
    await new Promise(resolve => setImmediate(() => process.nextTick(() => queueMicrotask(resolve))));
    await new Promise(resolve => { const timer = setInterval(() => { clearInterval(timer); resolve(); }, 1); });
    await Bun.sleep(1), Bun.sleepSync(1);
    const emitter = new events.EventEmitter();
    setTimeout(() => emitter.emit('x', 5), 1);
    assert.equal((await events.once(emitter, 'x'))[0], 5);
    Bun.gc(true);
  },
  async processes() {
    const home = process.cwd();
    assert.equal(childProcess.execSync('echo hi | tr a-z A-Z').toString(), 'HI\n');
    assert.equal(childProcess.spawnSync('/bin/sh', ['-c', 'exit 3']).status, 3);
    const cat = childProcess.spawn('/bin/cat');
    cat.stdin.end('through');
    const [data] = await events.once(cat.stdout, 'data');
    assert.equal(data.toString(), 'through');
    if (cat.exitCode === null) await events.once(cat, 'exit');
    const sleeper = childProcess.spawn('/bin/sleep', ['50'], { detached: true });
    sleeper.kill();
    assert.equal((await events.once(sleeper, 'exit'))[1], 'SIGTERM');
    assert.equal((await util.promisify(childProcess.exec)('echo x')).stdout, 'x\n');
    assert.equal(await new Response(Bun.spawn(['/bin/echo', 'bun']).stdout).text(), 'bun\n');
    assert.equal(Bun.spawnSync(['/bin/echo', 'sync']).stdout.toString(), 'sync\n');
    assert.equal((await Bun.$`echo shell`.text()), 'shell\n');
    const interrupted = new Promise(resolve => process.once('SIGUSR2', resolve));
    process.kill(process.pid, 'SIGUSR2');
    await interrupted;
    assert.ok(process.memoryUsage().rss > 0 && process.cpuUsage().user > 0 && process.resourceUsage() && process.hrtime.bigint() > 0n);
    assert.ok(os.hostname() && os.release() && os.totalmem() > 0 && os.freemem() > 0 && os.uptime() > 0 && os.loadavg() && os.availableParallelism() > 0);
    os.setPriority(os.getPriority() + 1), process.umask(0o22), process.chdir('/tmp'), process.chdir(home);
    assert.ok(process.getgroups() && process.geteuid() === process.getuid() && process.cwd() && process.title && process.report !== 0);
  },
  async threads() {
    const source = "const { parentPort, workerData } = require('node:worker_threads'); Atomics.add(new Int32Array(workerData), 0, 5); Atomics.notify(new Int32Array(workerData), 0); parentPort.postMessage('done');";
    const shared = new SharedArrayBuffer(4);
    const worker = new workers.Worker(source, { eval: true, workerData: shared });
    assert.equal((await events.once(worker, 'message'))[0], 'done');
    await worker.terminate();
    assert.equal(new Int32Array(shared)[0], 5);
    assert.equal(Atomics.wait(new Int32Array(shared), 0, 5, 2), 'timed-out');
    const web = new Worker(URL.createObjectURL(new Blob(['postMessage(42)'])));
    assert.equal((await new Promise((resolve, reject) => { web.onmessage = resolve; web.onerror = reject; })).data, 42);
    web.terminate();
    const { port1, port2 } = new MessageChannel();
    port1.postMessage('ping');
    assert.equal((await new Promise(resolve => { port2.onmessage = resolve; })).data, 'ping');
    port1.close(), port2.close();
  },
  async sockets() {
    const server = net.createServer(socket => socket.end('served')).listen('/tmp/server');
    await events.once(server, 'listening');
    const client = net.connect('/tmp/server');
    assert.equal((await events.once(client, 'data'))[0].toString(), 'served');
    server.close();
    const web = http.createServer((_, response) => response.end('http')).listen('/tmp/http');
    await events.once(web, 'listening');
    const text = await new Promise((resolve, reject) => http.get({ socketPath: '/tmp/http', path: '/' }, response => response.on('data', data => resolve(data.toString()))).on('error', reject));
    assert.equal(text, 'http');
    web.close();
    const bun = Bun.serve({ unix: '/tmp/bun.sock', fetch: () => new Response('bun') });
    assert.equal(await (await fetch('http://localhost/', { unix: '/tmp/bun.sock' })).text(), 'bun');
    bun.stop(true);
  },
  async network() {
    const begun = Date.now();
    for (const url of ['http://127.0.0.1:9/', 'http://192.0.2.1/', 'http://example.org/']) await assert.rejects(fetch(url));
    await assert.rejects(dns.promises.lookup('example.org'));
    assert.ok((await events.once(net.connect(9, '192.0.2.1'), 'error').catch(error => [error]))[0]);
    dgram.createSocket('udp4').close();
    try { os.networkInterfaces(); } catch (error) { assert.ok(error); }
    assert.ok(Date.now() - begun < 3000, 'the network must fail at once');
  },
};

(async () => {
  let failures = 0;
  const only = process.argv[2];
  for (const [name, part] of Object.entries(parts)) {
    if (only && only !== name) continue;
    try {
      await part();
      console.log('ok', name);
    } catch (error) {
      failures++;
      console.log('FAILED', name, error?.stack ?? error);
    }
  }
  process.exit(failures ? 1 : 0);
})();
