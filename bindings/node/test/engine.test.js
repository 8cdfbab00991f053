// Life cycle, misuse, errors by code, tickets and reports of the engine, over real sockets.
'use strict';

const assert = require('node:assert');
const test = require('node:test');
const { Engine, Event, PosthasteError, constants, describe, version } = require('posthaste');
const { startReceiver, waitUntil, allReports } = require('./support');

const failsWith = (code, more = {}) => ({
  name: 'PosthasteError',
  code: `POSTHASTE_${code}`,
  errno: constants[code],
  ...more,
});

// An engine with one webhook for everything, closed when the test ends.
async function startEngine(context, settings = {}) {
  const receiver = await startReceiver(context);
  const engine = new Engine({ 'batch.max_age': '1s', ...settings });
  engine.put('hook', { target: receiver.url, name: 'hook', events: '*' });
  engine.start();
  context.after(() => engine.close({ timeoutMs: 0 }).catch(() => {}));
  return { engine, receiver };
}

test('a batch of objects, JSON text, bytes and built events arrives as it was pushed', async (t) => {
  const { engine, receiver } = await startEngine(t);
  engine.push('injection', { subject: 'object' });
  engine.push('injection', '{"subject":"text"}');
  engine.push('injection', Buffer.from('{"subject":"bytes"}'));
  engine.push({ type: 'injection', subject: 'type inside' });
  engine.push(new Event('injection').set('subject', 'built').set('msg_size', 5));
  await engine.flush();
  assert.deepStrictEqual(
    receiver.events.map((event) => event.subject),
    ['object', 'text', 'bytes', 'type inside', 'built'],
  );
  assert.strictEqual(receiver.events[4].msg_size, '5');
  assert.strictEqual(receiver.batches, 1);
});

test('text of hostile characters arrives as itself, and what is no whole character as U+FFFD', async (t) => {
  const { engine, receiver } = await startEngine(t);
  const texts = ['"quotes" \\ud800 {brackets}', '\0\x01\x1b\x7f', '\u2028\u{1f4e8}', 'x'.repeat(65536)];
  const broken = 'lone \ud800 and \udc00 halves, \\\ud8ff';
  for (const subject of [...texts, broken]) {
    engine.push('injection', { subject, nested: { deep: [subject] } });
    engine.push(new Event('injection').set('subject', subject));
  }
  await engine.flush();
  const found = receiver.events.map((event) => event.subject);
  for (const [index, subject] of [...texts, broken.toWellFormed()].entries()) {
    assert.deepStrictEqual(found.slice(2 * index, 2 * index + 2), [subject, subject]);
  }
});

test('a builder nests, marks and rewinds, and its first error sticks until reset', async (t) => {
  const { engine, receiver } = await startEngine(t);
  const event = new Event('delivery').setAll({ subject: 'one message', transactional: true, left_out: undefined });
  event.beginObject('rcpt_meta').set('list', 'a').end().beginArray('rcpt_tags').set(null, 'x').end().mark();
  for (const rcpt of ['a@b.test', 'c@d.test']) engine.push(event.rewind().set('rcpt_to', rcpt));
  assert.throws(() => event.set('rcpt_to', 'again'), failsWith('E_DUPLICATE_KEY', { key: 'rcpt_to' }));
  assert.throws(() => event.set('other', 'x'), failsWith('E_DUPLICATE_KEY'));
  assert.throws(() => engine.push(event), failsWith('E_DUPLICATE_KEY'));
  event
    .reset('bounce')
    .set('raw_reason', 'r')
    .set('fraction', 0.5)
    .set('large', 2n ** 53n)
    .set('none', null);
  engine.push(event);
  await engine.flush();
  assert.deepStrictEqual(
    receiver.events.map((found) => found.rcpt_to),
    ['a@b.test', 'c@d.test', undefined],
  );
  assert.deepStrictEqual(receiver.events[0].rcpt_meta, { list: 'a' });
  assert.deepStrictEqual(receiver.events[0].rcpt_tags, ['x']);
  assert.notStrictEqual(receiver.events[0].event_id, receiver.events[1].event_id);
  assert.strictEqual(receiver.events[2].fraction, 0.5);
});

test('each error of an event is thrown by its code and names the culprit', async (t) => {
  const { engine } = await startEngine(t);
  assert.throws(() => engine.push('injection', '{"a":'), failsWith('E_BAD_JSON', { message: /byte 5/ }));
  assert.throws(
    () => engine.push('injection', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])),
    failsWith('E_BAD_UTF8'),
  );
  assert.throws(() => engine.push('no_such_type', {}), failsWith('E_UNKNOWN_TYPE'));
  assert.throws(() => engine.push('injection', { type: 'bounce' }), failsWith('E_TYPE_MISMATCH'));
  assert.throws(
    () => engine.push('injection', '{"type":"injection","type":"injection"}'),
    failsWith('E_DUPLICATE_KEY'),
  );
  assert.throws(() => engine.push({}), failsWith('E_UNKNOWN_TYPE'));
  assert.throws(() => engine.push('injection', Buffer.alloc(0)), failsWith('E_BAD_JSON'));
  assert.throws(() => engine.pushTrusted('no_such_type', '{}'), failsWith('E_UNKNOWN_TYPE'));
  assert.throws(() => engine.pushEnveloped('{}'), PosthasteError);
  assert.throws(() => engine.check('injection', '['), failsWith('E_BAD_JSON'));
});

test('many lines are judged one by one', async (t) => {
  const { engine, receiver } = await startEngine(t);
  const lines = '{"subject":"1"}\n{"subject"}\n\n{"subject":"3"}\n';
  assert.deepStrictEqual(engine.pushMany('injection', lines), {
    consumed: lines.length,
    codes: [0, constants.E_BAD_JSON, 0],
    code: constants.E_BAD_JSON,
  });
  assert.deepStrictEqual(engine.pushMany(null, ''), { consumed: 0, codes: [], code: 0 });
  await engine.flush();
  assert.deepStrictEqual(
    receiver.events.map((event) => event.subject),
    ['1', '3'],
  );
});

test('settings and webhooks are refused with the key that is wrong', () => {
  assert.throws(() => new Engine({ 'no.such_key': '1' }), failsWith('E_UNKNOWN_KEY', { key: 'no.such_key' }));
  assert.throws(() => new Engine({ 'batch.max_age': 'soon' }), failsWith('E_BAD_VALUE', { key: 'batch.max_age' }));
  const engine = new Engine();
  assert.throws(
    () => engine.put('hook', { target: 'ftp://a.test/', name: 'n', events: '*' }),
    failsWith('E_BAD_TARGET'),
  );
  assert.throws(
    () => engine.put('hook', { target: 'http://a.test/', name: 'n', events: ['nothing'] }),
    failsWith('E_BAD_EVENTS'),
  );
  assert.throws(() => engine.put('hook', { name: 'n' }), failsWith('E_MISSING_FIELD'));
  assert.throws(() => engine.put('hook', { settings: 5 }), PosthasteError);
  assert.throws(() => engine.load('/no/such/file'), failsWith('E_BAD_FILE'));
});

test('values of a wrong type are a TypeError and never reach the library', async (t) => {
  const { engine } = await startEngine(t);
  for (const call of [
    () => new Engine('settings'),
    () => new Engine({ 'batch.max_age': {} }),
    () => engine.push(5, {}),
    () => engine.push('injection', 5),
    () => engine.push('injection', null),
    () => engine.push(),
    () => engine.put(1, {}),
    () => engine.put('hook', null),
    () => engine.put('hook', { events: [1] }),
    () => engine.find(null),
    () => engine.get(1),
    () => engine.close({ timeoutMs: '1s' }),
    () => engine.pushMany('injection', {}),
    () => new Event(5),
    () => new Event('injection').set(5, 'x'),
    () => new Event('injection').set('f', () => {}),
    () => engine.log('x', 'y'),
  ]) {
    assert.throws(call, TypeError, String(call));
  }
  await assert.rejects(engine.keyCreate('name', 'all'), TypeError);
  await assert.rejects(engine.flush({ timeoutMs: -1 }), TypeError);
  await assert.rejects(engine.handle({ method: 'GET' }), TypeError);
});

test('webhooks are declared, found, listed, changed, held, released and removed', async (t) => {
  const { engine, receiver } = await startEngine(t);
  engine.put('other', {
    target: receiver.url,
    name: 'other',
    events: ['bounce'],
    'retry.max_age': '1h',
    auth_token: 'secret',
    custom_headers: { 'X-Name': 'value' },
    active: true,
  });
  assert.deepStrictEqual(
    engine.list().map((webhook) => webhook.id),
    ['hook', 'other'],
  );
  const found = engine.find('other');
  assert.deepStrictEqual([found.events, found.auth_token, found.state], [['bounce'], '****', 'active']);
  assert.strictEqual(engine.find('none'), undefined);
  engine.put('other', { ...found, name: 'renamed' });
  assert.strictEqual(engine.find('other').name, 'renamed');
  await engine.update('other', { events: ['delivery'] });
  assert.deepStrictEqual(engine.find('other').events, ['delivery']);
  engine.pause('other');
  assert.strictEqual(engine.find('other').state, 'paused');
  engine.resume('other');
  engine.remove('other', { drop: true });
  assert.throws(() => engine.remove('other'), failsWith('E_NOT_FOUND'));
  assert.strictEqual(engine.wants('open'), true);
  assert.throws(() => engine.defineType('mine', 'message_event'), failsWith('E_STATE'));
});

test('a webhook is created when its test is answered, and an error tells how far it came when not', async (t) => {
  const { engine, receiver } = await startEngine(t);
  const created = await engine.create({ target: receiver.url, name: 'created', events: ['open'] });
  assert.deepStrictEqual([created.name, created.events], ['created', ['open']]);
  await engine.verify(created.id);
  receiver.status = 503;
  await assert.rejects(
    engine.verify(created.id),
    (error) =>
      error.code === 'POSTHASTE_E_VERIFY_FAILED' &&
      error.phase === 'http' &&
      error.status === 503 &&
      error.body.toString() === 'answer' &&
      error.headers.some(([name]) => name === 'Content-Length' || name.toLowerCase() === 'transfer-encoding'),
  );
  await assert.rejects(
    engine.create({ target: 'http://127.0.0.1:1/', name: 'x', events: '*' }),
    failsWith('E_VERIFY_FAILED', { phase: 'connect', networkName: 'ECONNREFUSED', status: 0 }),
  );
  await assert.rejects(engine.update('none', { name: 'x' }), failsWith('E_NOT_FOUND'));
});

test('reports tell the fate of each batch while the engine runs and after it is closed', async (t) => {
  const { engine, receiver } = await startEngine(t);
  const reports = engine.reports();
  const first = reports.next();
  engine.push('injection', {});
  await engine.flush();
  const { value } = await first;
  assert.deepStrictEqual([value.kind, value.webhook_id, value.status, value.events], ['delivered', 'hook', 200, 1]);
  receiver.status = 500;
  engine.push('injection', {});
  await engine.flush();
  await assert.rejects(engine.close({ timeoutMs: 100 }), failsWith('E_TIMEOUT'));
  const rest = await allReports({ reports: () => reports });
  assert.ok(rest.some((report) => report.kind === 'dropped' && report.reason === 'closed' && report.events === 1));
  assert.deepStrictEqual(await allReports(engine), []);
});

test('promises settle whatever kinds of reports are asked for', async (t) => {
  for (const kinds of ['none', 'dropped', 'state,ticket', 'all']) {
    const { engine } = await startEngine(t, { 'report.kinds': kinds });
    await engine.flush({ timeoutMs: 5000 });
    await engine.close();
  }
  assert.deepStrictEqual((await startEngine(t, { 'report.kinds': null })).engine.get('report.kinds'), 'all');
});

test('log lines come as reports', async (t) => {
  const { engine } = await startEngine(t, { 'log.reports': 'info' });
  engine.log(constants.LOG_WARNING, 'a line of the host');
  await engine.close();
  assert.ok(
    (await allReports(engine)).some((report) => report.kind === 'log' && report.message === 'a line of the host'),
  );
});

test('reports that nobody reads give way to one overflow report, chatter first', async (t) => {
  const { ReportQueue } = require('../lib/report_queue');
  const queue = new ReportQueue(2);
  for (const kind of ['delivered', 'dropped', 'dropped', 'state']) queue.push({ kind });
  queue.end();
  const kinds = [];
  for (let next = await queue.next(); !next.done; next = await queue.next())
    kinds.push([next.value.kind, next.value.count]);
  assert.deepStrictEqual(kinds, [
    ['overflow', 2],
    ['dropped', undefined],
    ['state', undefined],
  ]);
});

test('after close every call is refused by E_STATE, and close again is no error', async (t) => {
  const { engine } = await startEngine(t);
  const [first, second] = [engine.close(), engine.close()];
  assert.strictEqual(engine.isClosed, true);
  await Promise.all([first, second]);
  await engine.close();
  for (const call of [
    () => engine.push('injection', {}),
    () => engine.start(),
    () => engine.stats(),
    () => engine.find('x'),
    () => engine.wants(),
    () => engine.put('hook', { name: 'x' }),
    () => engine.get('role'),
    () => engine.set('log.reports', 'info'),
  ]) {
    assert.throws(call, failsWith('E_STATE'), String(call));
  }
  for (const call of ['flush', 'sync', 'keyList', 'waitingList'])
    await assert.rejects(engine[call](), failsWith('E_STATE'), call);
  await assert.rejects(engine.create({ target: 'http://a.test/', name: 'n', events: '*' }), failsWith('E_STATE'));
});

test('an engine that was never started closes, and one cannot start twice', async () => {
  const idle = new Engine();
  assert.throws(() => idle.push('injection', {}), failsWith('E_STATE'));
  await idle.close();
  const engine = new Engine().start();
  assert.throws(() => engine.start(), failsWith('E_STATE'));
  await engine.close();
});

test('promises that wait when the engine is closed are settled, too', async (t) => {
  const { engine, receiver } = await startEngine(t);
  receiver.status = null;
  engine.push('injection', {});
  const flushed = engine.flush().then(
    () => 'done',
    (error) => error.code,
  );
  const verified = engine.verify('hook').then(
    () => 'done',
    (error) => error.code,
  );
  await engine.close({ timeoutMs: 100 }).catch(() => {});
  assert.match(await flushed, /done|E_/);
  assert.match(await verified, /E_/);
});

test('a flush that takes longer than its time-out is E_TIMEOUT, and goes on', async (t) => {
  const { engine, receiver } = await startEngine(t);
  receiver.status = null;
  engine.push('injection', {});
  await assert.rejects(engine.flush({ timeoutMs: 50 }), failsWith('E_TIMEOUT'));
  await assert.rejects(engine.sync(), failsWith('E_STATE'));
});

test('waiting for a receiver that hangs keeps the event loop free', async (t) => {
  const { engine, receiver } = await startEngine(t);
  receiver.status = null;
  engine.push('injection', {});
  let worst = 0;
  let before = performance.now();
  const beat = setInterval(() => {
    worst = Math.max(worst, performance.now() - before);
    before = performance.now();
  }, 5);
  const waits = Array.from({ length: 20 }, () => engine.verify('hook').catch(() => {}));
  await engine.flush({ timeoutMs: 500 }).catch(() => {});
  clearInterval(beat);
  assert.ok(worst < 250, `the loop stood still for ${worst} ms`);
  receiver.status = 200;
  await engine.close({ timeoutMs: 0 }).catch(() => {});
  await Promise.all(waits);
});

test('no call takes a thread of libuv', async (t) => {
  // The pool has four; with all of them busy a call that needed one would not come back.
  const { engine } = await startEngine(t);
  const crypto = require('node:crypto');
  let busy = 6;
  for (let i = 0; i < 6; i++) crypto.pbkdf2('x', 'y', 1e6, 64, 'sha512', () => busy--);
  engine.push('injection', {});
  await engine.verify('hook');
  await engine.flush();
  await engine.keyList();
  assert.ok(busy > 0, 'the pool was idle before the calls were done, so nothing was shown');
  await waitUntil(() => busy === 0, 'the pool');
});

test('the REST API answers through the engine', async (t) => {
  const { engine } = await startEngine(t);
  const made = await engine.keyCreate('host', 'modify');
  const ask = (headers) => engine.handle({ method: 'GET', target: '/api/v1/webhooks', headers });
  assert.strictEqual((await ask({})).status, 401);
  const answer = await ask({ Authorization: made.key, Accept: ['application/json'] });
  assert.strictEqual(answer.status, 200);
  assert.strictEqual(JSON.parse(answer.body).results[0].name, 'hook');
  assert.ok(answer.headers.some(([name, value]) => name === 'Content-Type' && value === 'application/json'));
  assert.strictEqual((await engine.keyList()).length, 1);
  await engine.keyRevoke(made.id);
  await assert.rejects(engine.keyRevoke(made.id), failsWith('E_NOT_FOUND'));
  const own = await engine.handle({ method: 'GET', target: '/api/v1/webhooks', identity: { grant: 'view' } });
  assert.strictEqual(own.status, 200);
});

test('settings are described, read and changed', async (t) => {
  const { engine } = await startEngine(t);
  assert.strictEqual(engine.get('batch.max_age'), '1s');
  engine.set('retry.max_age', '2h');
  assert.strictEqual(engine.get('retry.max_age'), '2h');
  assert.throws(() => engine.set('intake.max_bytes', '1GiB'), failsWith('E_NOT_CHANGEABLE'));
  assert.strictEqual(describe('batch.max_age').default, '30s');
  assert.ok(describe().length > 50);
  assert.throws(() => describe('none'), failsWith('E_UNKNOWN_KEY'));
  assert.match(version, /^\d+\.\d+\.\d+$/);
  engine.push('injection', {});
  assert.strictEqual(engine.stats().events.accepted, 1);
  await waitUntil(() => engine.openBatch('hook').events === 1, 'the open batch');
  engine.retryNow();
});
