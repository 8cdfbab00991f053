// Durable mode: what sync promises, the operator's calls, and producers.
'use strict';

const assert = require('node:assert');
const test = require('node:test');
const { Engine, constants } = require('posthaste');
const { startReceiver, temporaryFolder, runProgram, waitUntil, allReports } = require('./support');

const failsWith = (code) => ({ name: 'PosthasteError', code: `POSTHASTE_${code}`, errno: constants[code] });

// A durable engine with one webhook; what the receiver is told to refuse waits as a batch of one event.
async function startEngine(context, settings = {}) {
  const receiver = await startReceiver(context);
  const folder = temporaryFolder(context);
  const engine = new Engine({
    'spool.dir': folder,
    'batch.max_events': 1,
    'retry.base': '1h',
    'retry.max': '1h',
    ...settings,
  });
  engine.put('hook', { target: receiver.url, name: 'hook', events: '*' });
  engine.start();
  context.after(() => engine.close({ timeoutMs: 0 }).catch(() => {}));
  return { engine, receiver, folder };
}

// A list once it is long enough: lists may be a fraction of a second behind.
async function listed(list, count) {
  const found = await list;
  return found.length >= count ? found : null;
}

test('what was pushed before a sync survives SIGKILL', async (t) => {
  const folder = temporaryFolder(t);
  const receiver = await startReceiver(t);
  const program = runProgram(
    `const { Engine } = require('posthaste');
    const engine = new Engine({ 'spool.dir': process.env.SPOOL, 'batch.max_age': '1h' });
    engine.put('hook', { target: process.env.URL, name: 'hook', events: '*' });
    engine.start();
    (async () => {
      for (let i = 0; ; i++) {
        engine.push('injection', { subject: String(i) });
        await engine.sync();
        console.log(i);
      }
    })();`,
    { environment: { URL: receiver.url, SPOOL: folder } },
  );
  await waitUntil(() => program.stdout.split('\n').length > 20, 'twenty syncs');
  program.child.kill('SIGKILL');
  const { stdout, stderr } = await program.ended;
  assert.strictEqual(stderr, '');
  const synced = stdout.trim().split('\n').map(Number).at(-1);
  const engine = new Engine({ 'spool.dir': folder, 'batch.max_age': '1s' });
  engine.put('hook', { target: receiver.url, name: 'hook', events: '*' });
  engine.start();
  await waitUntil(() => receiver.events.length > synced, 'what was synced');
  await engine.close();
  const subjects = receiver.events.map((event) => Number(event.subject));
  assert.deepStrictEqual(
    subjects.slice(0, synced + 1),
    Array.from({ length: synced + 1 }, (_, index) => index),
  );
});

test('many who wait for the disk share a few syncs', async (t) => {
  const { engine } = await startEngine(t);
  await Promise.all(
    Array.from({ length: 3000 }, () => {
      engine.push('injection', {});
      return engine.sync();
    }),
  );
  assert.strictEqual(engine.stats().events.accepted, 3000);
});

test('waiting batches are listed, exported, purged, and tried again at once', async (t) => {
  const { engine, receiver } = await startEngine(t);
  receiver.status = 500;
  engine.push('injection', { subject: 'caf\u00e9' });
  engine.push('injection', { subject: 'second' });
  await engine.flush();
  const waiting = await waitUntil(
    () => listed(engine.waitingList({ webhook_id: 'hook', limit: 10 }), 2),
    'two batches',
  );
  assert.deepStrictEqual(
    (await engine.waitingList({ after: waiting[0].sequence })).map((batch) => batch.batch_id),
    [waiting[1].batch_id],
  );
  assert.strictEqual((await engine.waitingFind(waiting[0].batch_id)).events, 1);
  assert.strictEqual(JSON.parse(await engine.batchExport(waiting[0].batch_id)).msys.message_event.subject, 'caf\u00e9');
  assert.deepStrictEqual(await engine.spoolCheck(), []);
  await assert.rejects(engine.waitingFind('none'), failsWith('E_NOT_FOUND'));
  await assert.rejects(engine.waitingList({ before_ms: 'x' }), failsWith('E_BAD_VALUE'));
  assert.strictEqual((await engine.batchStatus('hook', { limit: 1 })).length, 1);
  assert.deepStrictEqual(await engine.purge('hook'), { batches: 2, events: 2 });
  await waitUntil(async () => (await engine.waitingList()).length === 0, 'the purge on disk');
});

test('dead letters are listed, found, replayed and removed', async (t) => {
  const { engine, receiver } = await startEngine(t, {
    'retry.base': '100ms',
    'retry.max': '100ms',
    'retry.max_age': '1s',
    dead_letter: 'true',
  });
  receiver.status = 500;
  engine.push('injection', {});
  for await (const report of engine.reports()) if (report.kind === 'dead_lettered') break;
  const [letter] = await waitUntil(() => listed(engine.deadLetterList(), 1), 'the dead letter');
  assert.strictEqual((await engine.deadLetterFind(letter.batch_id)).reason, 'expired');
  receiver.status = 200;
  assert.strictEqual(await engine.deadLetterReplay({ batch_id: letter.batch_id }), 1);
  await waitUntil(() => receiver.events.length === 1, 'the replayed event');
  assert.strictEqual(await engine.deadLetterRemove(), 0);
});

test('operators get E_STATE from an engine without a disk', async () => {
  const engine = new Engine().start();
  for (const call of ['waitingList', 'deadLetterList', 'spoolCheck', 'sync'])
    await assert.rejects(engine[call](), failsWith('E_STATE'), call);
  await engine.close();
});

test('a producer writes into the spool from where an engine delivers', async (t) => {
  const { engine, receiver, folder } = await startEngine(t);
  const producer = new Engine({ role: 'producer', 'spool.dir': folder }).start();
  assert.strictEqual(producer.wants('injection'), true);
  producer.push('injection', { subject: 'produced' });
  await producer.sync();
  assert.throws(() => producer.put('hook', { name: 'x' }), failsWith('E_STATE'));
  await producer.close();
  assert.deepStrictEqual(await allReports(producer), []);
  await waitUntil(() => receiver.events.length === 1, 'the event');
  assert.strictEqual(receiver.events[0].subject, 'produced');
  assert.strictEqual(engine.stats().events.from_producers, 1);
});
