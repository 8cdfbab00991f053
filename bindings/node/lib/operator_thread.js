// The thread of operator.js: it may wait for the disk. Engines are known here by their handle alone, a number that is
// good in every thread of the process.
'use strict';

const { parentPort } = require('node:worker_threads');
const { c, bytes, takeJson } = require('./native');
const { check, last, pack } = require('./errors');

function withFilter(choice, use) {
  const filter = c.posthaste_filter_new();
  try {
    for (const [key, value] of Object.entries(choice)) {
      if (value !== undefined) check(c.posthaste_filter_set(filter, key, value === null ? null : String(value), last));
    }
    return use(filter);
  } finally {
    c.posthaste_filter_free(filter);
  }
}

function json(call) {
  const out = [null];
  check(call(out));
  return takeJson(out[0]);
}

function count(call) {
  const out = [0];
  check(call(out));
  return Number(out[0]);
}

const calls = {
  sync: (ph, timeoutMs) => check(c.posthaste_sync(ph, timeoutMs, last)),
  batchStatus: (ph, id, limit, which) => json((out) => c.posthaste_batch_status(ph, id, limit, which, out, last)),
  waitingList: (ph, choice, after, limit) =>
    withFilter(choice, (filter) => json((out) => c.posthaste_waiting_list(ph, filter, after, limit, out, last))),
  waitingFind: (ph, id) => json((out) => c.posthaste_waiting_find(ph, id, out, last)),
  deadLetterList: (ph, choice, after, limit) =>
    withFilter(choice, (filter) => json((out) => c.posthaste_dead_letter_list(ph, filter, after, limit, out, last))),
  deadLetterFind: (ph, id) => json((out) => c.posthaste_dead_letter_find(ph, id, out, last)),
  deadLetterReplay: (ph, choice, timeoutMs) =>
    withFilter(choice, (filter) => count((out) => c.posthaste_dead_letter_replay(ph, filter, timeoutMs, out, last))),
  deadLetterRemove: (ph, choice, timeoutMs) =>
    withFilter(choice, (filter) => count((out) => c.posthaste_dead_letter_remove(ph, filter, timeoutMs, out, last))),
  purge(ph, id, timeoutMs) {
    const batches = [0];
    const events = [0];
    check(c.posthaste_purge(ph, id, timeoutMs, batches, events, last));
    return { batches: Number(batches[0]), events: Number(events[0]) };
  },
  batchExport(ph, id) {
    const pieces = [];
    const write = (data, size) => {
      pieces.push(bytes(data, Number(size)));
      return 0;
    };
    check(c.posthaste_batch_export(ph, id, [0], last, write, null));
    return Buffer.concat(pieces).toString();
  },
  spoolCheck: (ph, timeoutMs) => json((out) => c.posthaste_spool_check(ph, timeoutMs, out, last)),
  keyCreate: (ph, name, grant, subaccount) =>
    json((out) => c.posthaste_key_create(ph, name, grant, subaccount, out, last)),
  keyPut: (ph, name, key, grant, subaccount) =>
    json((out) => c.posthaste_key_put(ph, name, key, grant, subaccount, out, last)),
  keyList: (ph) => json((out) => c.posthaste_key_list(ph, out, last)),
  keyRevoke: (ph, id) => check(c.posthaste_key_revoke(ph, id, last)),
};

parentPort.on('message', ({ number, name, handle, values }) => {
  try {
    parentPort.postMessage({ number, result: calls[name](handle, ...values) });
  } catch (error) {
    parentPort.postMessage({ number, error: pack(error) });
  }
});
