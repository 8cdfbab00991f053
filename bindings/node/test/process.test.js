// What happens to the process around an engine: leaving it unclosed, exit, garbage, fork, worker threads, cluster.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { startReceiver, temporaryFolder, runProgram } = require('./support');

// The beginning of every program: an engine with one webhook, which pushed an event.
const BEGIN = `const { Engine } = require('posthaste');
  const engine = new Engine({ 'batch.max_age': '1h' });
  engine.put('hook', { target: process.env.URL, name: 'hook', events: '*' });
  engine.start();
  engine.push('injection', {});`;

// Runs a program with a receiver for its events.
async function run(context, source, { status = 200, environment = {}, ...more } = {}) {
  const receiver = await startReceiver(context);
  receiver.status = status;
  const ended = await runProgram(source, { environment: { URL: receiver.url, ...environment }, ...more }).ended;
  return { receiver, ...ended };
}

const CLEAN = { status: 0, signal: null, stdout: '', stderr: '' };

function assertClean(result, stdout = '') {
  const { status, signal, stderr } = result;
  assert.deepStrictEqual({ status, signal, stderr, stdout: result.stdout }, { ...CLEAN, stdout });
}

test('a process with an unclosed engine ends by itself', async (t) => {
  assertClean(await run(t, BEGIN));
});

test('a reader of reports does not keep the process, unless the engine is referenced', async (t) => {
  const reader = '(async () => { for await (const report of engine.reports()) console.log(report.kind); })();';
  assertClean(await run(t, BEGIN + reader));
  const kept = runProgram(`${BEGIN}${reader} engine.ref(); setTimeout(() => engine.unref(), 300);`, {
    environment: { URL: 'http://127.0.0.1:1/' },
  });
  const begun = Date.now();
  assertClean(await kept.ended);
  assert.ok(Date.now() - begun >= 300);
});

test('a promise that is waited for keeps the process until it is settled', async (t) => {
  const result = await run(t, `${BEGIN} engine.flush().then(() => console.log('flushed'));`);
  assertClean(result, 'flushed\n');
  assert.strictEqual(result.receiver.events.length, 1);
});

test('process.exit while the engine delivers neither hangs nor crashes', async (t) => {
  for (let i = 0; i < 3; i++) {
    assertClean(
      await run(t, `${BEGIN} engine.flush().catch(() => {}); setTimeout(() => process.exit(0), ${i * 30});`, {
        status: null,
      }),
    );
  }
  assertClean(await run(t, `${BEGIN} process.exit(0);`));
});

test('process.exit while the thread for operators works neither hangs nor crashes', async (t) => {
  assertClean(
    await run(t, `${BEGIN} engine.keyCreate('a', 'view').catch(() => {}); setTimeout(() => process.exit(0), 5);`),
  );
  assertClean(await run(t, `${BEGIN} engine.keyList().then(() => console.log('listed'));`), 'listed\n');
});

test('an exception that nobody catches ends the process as ever', async (t) => {
  const result = await run(t, `${BEGIN} setTimeout(() => { throw new Error('of the host'); }, 20);`);
  assert.strictEqual(result.status, 1);
  assert.match(result.stderr, /of the host/);
});

test('a dropped engine is freed by the garbage collector, and one in use is not', async (t) => {
  const source = `const { Engine } = require('posthaste');
    const fs = require('node:fs');
    const threads = () => fs.readdirSync('/proc/self/task').length;
    const descriptors = () => fs.readdirSync('/proc/self/fd').length;
    new Engine().start().close().then(async () => {
      const before = [threads(), descriptors()];
      (() => { for (let i = 0; i < 5; i++) new Engine().start(); })();
      if (threads() < before[0] + 5) throw new Error('no threads were made');
      let kept = new Engine();
      kept.put('hook', { target: process.env.URL, name: 'hook', events: '*' });
      kept.start().push('injection', {});
      const flushed = kept.flush();
      kept = null;
      for (let i = 0; i < 200 && threads() > before[0]; i++) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      await flushed;
      for (let i = 0; i < 200 && (threads() > before[0] || descriptors() > before[1]); i++) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      console.log(threads() - before[0], descriptors() - before[1]);
    });`;
  const result = await run(t, source, { flags: ['--expose-gc'] });
  assertClean(result, '0 0\n');
  assert.strictEqual(result.receiver.events.length, 1);
});

test('a child made by child_process.fork has engines of its own', async (t) => {
  const folder = temporaryFolder(t);
  const child = path.join(folder, 'child.js');
  fs.writeFileSync(child, `${BEGIN} engine.flush().then(() => process.send('flushed'));`);
  const result = await run(
    t,
    `${BEGIN}
    const child = require('node:child_process').fork(${JSON.stringify(child)});
    child.on('message', (text) => console.log(text));
    child.on('exit', (status) => engine.flush().then(() => engine.close()).then(() => console.log(status)));`,
  );
  assertClean(result, 'flushed\n0\n');
  assert.strictEqual(result.receiver.events.length, 2);
});

test('a child begun by spawn holds no descriptor of the engine', async (t) => {
  const result = await run(
    t,
    `${BEGIN}
    console.log(require('node:child_process').execFileSync('/bin/sh', ['-c', 'ls -l /proc/self/fd | grep -c pipe']).toString().trim());`,
  );
  // ls's own output to grep, and the pipe that execFileSync reads, which grep's side of the shell holds besides.
  const alone = await run(
    t,
    `console.log(require('node:child_process').execFileSync('/bin/sh', ['-c', 'ls -l /proc/self/fd | grep -c pipe']).toString().trim());`,
  );
  assertClean(result, alone.stdout);
});

test('each worker thread has engines of its own, and may end without closing them', async (t) => {
  const worker = `${BEGIN} engine.flush().then(() => require('node:worker_threads').parentPort?.postMessage('flushed'));`;
  const result = await run(
    t,
    `${BEGIN}
    const { Worker } = require('node:worker_threads');
    const begin = () => new Worker(${JSON.stringify(worker)}, { eval: true, env: process.env });
    let ended = 0;
    for (let i = 0; i < 3; i++) begin().on('exit', (status) => { if (++ended === 3) engine.close().then(() => console.log('closed', status)); });`,
  );
  assertClean(result, 'closed 0\n');
  assert.strictEqual(result.receiver.events.length, 4);
});

test('a worker thread that is terminated while its engine delivers leaves the process whole', async (t) => {
  const worker = `${BEGIN} engine.flush().catch(() => {}); require('node:worker_threads').parentPort.postMessage('begun');`;
  const result = await run(
    t,
    `const { Worker } = require('node:worker_threads');
    const worker = new Worker(${JSON.stringify(worker)}, { eval: true, env: process.env });
    worker.on('message', () => worker.terminate().then((status) => console.log('terminated', status)));`,
    { status: null },
  );
  assertClean(result, 'terminated 1\n');
});

// A primary that delivers and three workers that push ten events each as producers; a file, since cluster runs it again.
const CLUSTER = `const cluster = require('node:cluster');
  const { Engine } = require('posthaste');
  const spool = { 'spool.dir': process.env.SPOOL };
  async function deliver() {
    const engine = new Engine({ ...spool, 'batch.max_age': '1s' });
    engine.put('hook', { target: process.env.URL, name: 'hook', events: '*' });
    engine.start();
    for (let i = 0; i < 3; i++) cluster.fork();
    while (engine.stats().events.accepted < 30) await new Promise((resolve) => setTimeout(resolve, 20));
    await engine.flush();
    await engine.close();
    console.log('closed');
  }
  async function push() {
    const engine = new Engine({ ...spool, role: 'producer' }).start();
    for (let i = 0; i < 10; i++) engine.push('injection', { subject: cluster.worker.id + '.' + i });
    await engine.sync();
    process.disconnect();
  }
  (cluster.isPrimary ? deliver() : push());`;

test('the workers of a cluster push as producers, and the primary delivers', async (t) => {
  const file = path.join(temporaryFolder(t), 'cluster.js');
  fs.writeFileSync(file, CLUSTER);
  const result = await run(t, '', { file, environment: { SPOOL: temporaryFolder(t) } });
  assertClean(result, 'closed\n');
  assert.strictEqual(new Set(result.receiver.events.map((event) => event.subject)).size, 30);
  assert.strictEqual(result.receiver.events.length, 30);
});
