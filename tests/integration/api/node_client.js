// The client library of the original for Node.js, as its makers publish it, against a host of ours: every method of
// its webhooks, in both of its styles, and its errors. Run by node_client_test.py.
//
// Usage: node_client.js NODE_MODULES ORIGIN KEY TARGET BAD_TARGET
'use strict';
const assert = require('assert');
const path = require('path');
const { promisify } = require('util');

const [modules, origin, key, target, badTarget] = process.argv.slice(2);
const SparkPost = require(path.join(modules, 'sparkpost'));

const methods = ['list', 'get', 'create', 'update', 'delete', 'validate', 'getBatchStatus', 'getDocumentation',
  'getSamples'];

async function runEveryMethod(client) {
  const webhooks = client.webhooks;
  assert.deepStrictEqual(Object.keys(webhooks).sort(), [...methods].sort());

  const created = await webhooks.create({
    name: 'Test Webhook', target, auth_token: 'AUTH_TOKEN', events: ['delivery', 'injection', 'open', 'click'] });
  const id = created.results.id;
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.deepStrictEqual(created.results.links[0].method, ['GET', 'PUT']);

  assert.deepStrictEqual((await webhooks.list()).results.map((webhook) => webhook.id), [id]);
  assert.strictEqual((await webhooks.list({ timezone: 'America/New_York' })).results[0].name, 'Test Webhook');
  const shown = (await webhooks.get(id)).results;
  assert.strictEqual(shown.target, target);
  assert.deepStrictEqual((await webhooks.get(id, { timezone: 'Asia/Kolkata' })).results.events, shown.events);

  // It takes the id out of what it sends, so a whole webhook may be given back.
  assert.strictEqual((await webhooks.update(id, { ...shown, name: 'Renamed webhook' })).results.id, id);
  await webhooks.update(id, { name: 'Renamed again', events: ['policy_rejection', 'delay'] });
  const renamed = (await webhooks.get(id)).results;
  assert.strictEqual(renamed.name, 'Renamed again');
  assert.deepStrictEqual(renamed.events, ['policy_rejection', 'delay']);

  const validated = await webhooks.validate(id, { message: { msys: { message_event: { type: 'delay' } } } });
  assert.strictEqual(validated.results.msg, 'Test POST to endpoint succeeded');
  assert.strictEqual(validated.results.response.status, 200);
  assert.deepStrictEqual((await webhooks.getBatchStatus(id)).results, []);
  assert.deepStrictEqual((await webhooks.getBatchStatus(id, { limit: 10 })).results, []);

  const documentation = (await webhooks.getDocumentation()).results;
  assert.strictEqual(documentation.message_event.display_name, 'Message Events');
  assert.ok((await webhooks.getSamples()).results.length > 20);
  const samples = (await webhooks.getSamples({ events: 'bounce' })).results;
  assert.deepStrictEqual(samples.map((record) => record.msys.message_event.type), ['bounce']);

  const byCallback = await promisify(webhooks.get)(id);
  assert.strictEqual(byCallback.results.id, id);
  await webhooks.delete(id);
  await expectError(webhooks.get(id), 404, { message: 'Resource could not be found' });
}

async function expectError(call, status, first) {
  const error = await call.then(() => assert.fail('it succeeded'), (reason) => reason);
  assert.strictEqual(error.name, 'SparkPostError');
  assert.strictEqual(error.statusCode, status);
  assert.strictEqual(error.errors.length, 1);
  for (const [name, value] of Object.entries(first)) assert.deepStrictEqual(error.errors[0][name], value);
}

async function runErrors(client) {
  await expectError(client.webhooks.create({ name: 'x', target }), 422, {
    message: 'required field is missing', description: "field 'events' is required", code: '1400' });
  await expectError(client.webhooks.create({ name: 'x', target: badTarget, events: ['delivery'] }), 400, {
    message: 'POST to webhook target URL failed with non-2xx response code 404', code: 400 });
  const stranger = new SparkPost('no-such-key', { origin });
  await expectError(stranger.webhooks.list(), 401, { message: 'Unauthorized' });
}

async function main() {
  const client = new SparkPost(key, { origin });
  await runEveryMethod(client);
  await runEveryMethod(new SparkPost(key, { endpoint: origin }));
  await runErrors(client);
  console.log('every method ran');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
