// Compiled, never run: what hosts write must pass the compiler, and each misuse below must not.
import { Engine, Event, PosthasteError, Report, Response, constants, describe, version } from 'posthaste';

async function use(): Promise<void> {
  const engine = new Engine({ 'batch.max_age': '1s', 'batch.max_events': 100 }).start();
  engine.put('id', { target: 'http://127.0.0.1:1/', events: ['delivery'], 'retry.max_age': '1h' });
  engine.push('delivery', { rcpt_to: 'a@b.test' });
  engine.push('delivery', '{}');
  engine.push({ type: 'delivery' });
  engine.push(new Event('bounce').set('msg_size', 5).setAll({ subject: 'text', rcpt_tags: ['a'] }));
  const found = engine.find('id');
  if (found) found.events.join(',');
  const created = await engine.create({ name: 'name', target: 'https://a.test/', events: '*' });
  await engine.update(created.id, { active: false });
  for await (const report of engine.reports()) note(report);
  const { consumed, codes } = engine.pushMany('delivery', '{}\n{}');
  const response: Response = await engine.handle({ method: 'GET', target: '/', headers: { Host: 'a' } });
  const exported: string = await engine.batchExport('batch');
  const keys: string[] = describe()
    .map((key) => key.key)
    .concat(describe('spool.dir').key, version);
  note(consumed + codes.length + response.status + exported.length + keys.length);
  try {
    await engine.flush({ timeoutMs: 100 });
  } catch (error) {
    if (error instanceof PosthasteError && error.errno === constants.E_TIMEOUT) note(error.code);
  }
  await engine.close();
}

function note(what: Report | string | number): void {
  if (typeof what === 'object' && what.kind === 'dropped') note(what.events);
}

function misuse(engine: Engine): void {
  // @ts-expect-error a type is a string
  engine.push(5, {});
  // @ts-expect-error a payload is an object, text or bytes
  engine.push('delivery', 5);
  // @ts-expect-error events are strings
  engine.put('id', { events: [1] });
  // @ts-expect-error no such method
  engine.poll();
  // @ts-expect-error milliseconds are a number
  engine.close({ timeoutMs: '1s' });
  // @ts-expect-error a grant is view or modify
  engine.keyCreate('name', 'all');
  // @ts-expect-error it may be undefined
  engine.find('id').name;
  // @ts-expect-error thrown by the package only
  new PosthasteError(1, 'text');
  // @ts-expect-error a value of its own
  const value: 5 = constants.E_TIMEOUT + 0;
  note(value);
}

void use;
void misuse;
