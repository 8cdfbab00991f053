// The engine as JavaScript has it: calls that only touch memory are plain methods, everything that waits is a promise.
'use strict';

const { c, constants, takeJson, takeText } = require('./native');
const { PosthasteError, check, closedError, last } = require('./errors');
const {
  needString,
  needObject,
  needInteger,
  libraryText,
  withConf,
  withWebhook,
  payloadOf,
  sizeOf,
} = require('./values');
const { Event } = require('./event');
const { ReportPump } = require('./report_pump');
const { operator } = require('./operator');
const { requestOf, responseOf } = require('./rest');

const FLUSH_MS = 30000;
const CLOSE_MS = 5000;
const FIRST_EVENT_ERROR = constants.E_BAD_JSON;
const LAST_EVENT_ERROR = constants.E_BAD_FIELD;
const GRANTS = { view: constants.GRANT_VIEW, modify: constants.GRANT_MODIFY };

// A dropped engine: what was not delivered by then is dropped in memory mode, and stays in the spool in durable mode.
const registry = new FinalizationRegistry(({ handle, pump }) => {
  pump.stop();
  c.posthaste_free(handle);
});

// Refuses with E_TIMEOUT what has not come in time; what was begun goes on.
function inTime(promise, timeoutMs, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new PosthasteError(constants.E_TIMEOUT, `${what} took longer than ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function subaccountOf(value) {
  return value === undefined || value === null ? -1 : needInteger(value, 'the subaccount');
}

function grantOf(value) {
  if (!Object.hasOwn(GRANTS, value)) throw new TypeError('the grant is neither "view" nor "modify"');
  return GRANTS[value];
}

// Purpose: one registry, one queue, one set of library threads. Owns the C handle, freed by close or, when the engine is
// dropped unclosed, by the garbage collector. Threads: the Node thread that made it. Invariant: it keeps the process
// alive only while a promise of its own is not settled, or after ref().
class Engine {
  #handle = null;
  #pump = null;
  #closing = null;
  #isProducer = false;
  #running = new Set(); // calls on the operator's thread, which use the handle
  #syncing = null; // the sync under way
  #nextSync = null; // and the one behind it, which all who ask meanwhile share

  constructor(settings = {}) {
    const out = [null];
    withConf(needObject(settings, 'the settings'), (conf) => check(c.posthaste_new(conf, out, last)));
    this.#handle = out[0];
    this.#pump = new ReportPump(this.#handle);
    registry.register(this, { handle: this.#handle, pump: this.#pump }, this);
  }

  start() {
    check(c.posthaste_start(this.#open(), last));
    this.#isProducer = this.get('role') === 'producer';
    this.#pump.open();
    return this;
  }

  get isClosed() {
    return this.#handle === null || this.#closing !== null;
  }

  // Delivers what it can in time and frees everything; the second call waits for the first.
  close({ timeoutMs = CLOSE_MS } = {}) {
    this.#closing ??= this.#close(needInteger(timeoutMs, 'timeoutMs'));
    return this.#closing;
  }

  [Symbol.asyncDispose]() {
    return this.close();
  }

  ref() {
    this.#pump.ref(true);
    return this;
  }

  unref() {
    this.#pump.ref(false);
    return this;
  }

  set(key, value) {
    check(c.posthaste_set(this.#open(), needString(key, 'the key'), libraryText(value, key), last));
  }

  get(key) {
    return this.#made(takeText, (ph, out) => c.posthaste_get(ph, needString(key, 'the key'), out, last));
  }

  put(id, webhook) {
    const ph = this.#open();
    withWebhook(webhook, (described) => check(c.posthaste_put(ph, needString(id, 'the id'), described, last)));
  }

  async create(webhook) {
    const id = await withWebhook(webhook, (described) =>
      this.#ticket((ph, out) => c.posthaste_create_ticket(ph, described, out, last), c.posthaste_report_webhook_id),
    );
    return this.find(id);
  }

  async update(id, webhook) {
    needString(id, 'the id');
    await withWebhook(webhook, (described) =>
      this.#ticket((ph, out) => c.posthaste_update_ticket(ph, id, described, out, last)),
    );
  }

  async verify(id) {
    needString(id, 'the id');
    await this.#ticket((ph, out) => c.posthaste_verify_ticket(ph, id, out, last));
  }

  remove(id, { drop = false } = {}) {
    const how = drop ? constants.REMOVE_DROP : constants.REMOVE_DRAIN;
    check(c.posthaste_remove(this.#open(), needString(id, 'the id'), how, last));
  }

  pause(id) {
    check(c.posthaste_pause(this.#open(), needString(id, 'the id'), last));
  }

  resume(id) {
    check(c.posthaste_resume(this.#open(), needString(id, 'the id'), last));
  }

  // The webhook as an object, secrets masked; undefined when there is none with this id.
  find(id) {
    const out = [null];
    const code = c.posthaste_find(this.#open(), needString(id, 'the id'), out, last);
    if (code === constants.E_NOT_FOUND) return undefined;
    check(code);
    try {
      return webhookOf(out[0]);
    } finally {
      c.posthaste_webhook_free(out[0]);
    }
  }

  list() {
    const out = [null];
    check(c.posthaste_list(this.#open(), out, last));
    try {
      const count = Number(c.posthaste_webhook_list_count(out[0]));
      return Array.from({ length: count }, (_, index) => webhookOf(c.posthaste_webhook_list_at(out[0], index)));
    } finally {
      c.posthaste_webhook_list_free(out[0]);
    }
  }

  load(path) {
    return this.#made(takeJson, (ph, out) => c.posthaste_load(ph, needString(path, 'the path'), out, last));
  }

  defineType(type, eventClass) {
    check(
      c.posthaste_define_type(this.#open(), needString(type, 'the type'), needString(eventClass, 'the class'), last),
    );
  }

  wants(type = null) {
    return c.posthaste_wants(this.#open(), type === null ? null : needString(type, 'the type')) === 1;
  }

  // push(type, payload), push(payload) whose `type` says what it is, or push(event) of a builder.
  push(type, payload) {
    const ph = this.#open();
    if (payload === undefined) {
      if (Event.isEvent(type)) {
        const code = c.posthaste_push_event(ph, Event.handleOf(type));
        if (code !== constants.OK) throw this.#pushError(code, () => type.check());
        return;
      }
      payload = type;
      type = null;
    } else if (type !== null) {
      needString(type, 'the type');
    }
    const json = payloadOf(payload);
    const code = c.posthaste_push(ph, type, json, sizeOf(json));
    if (code !== constants.OK) throw this.#pushError(code, () => this.check(type, json));
  }

  pushTrusted(type, payload) {
    const json = payloadOf(payload);
    const code = c.posthaste_push_trusted(this.#open(), needString(type, 'the type'), json, sizeOf(json));
    if (code !== constants.OK) throw new PosthasteError(code);
  }

  pushEnveloped(record) {
    const json = payloadOf(record);
    const code = c.posthaste_push_enveloped(this.#open(), json, sizeOf(json));
    if (code !== constants.OK) throw new PosthasteError(code);
  }

  // A payload a line. Nothing is thrown for what the lines hold: codes tells each line's fate; a full queue ends it
  // early, and consumed says where.
  pushMany(type, lines) {
    if (typeof lines !== 'string' && !(lines instanceof Uint8Array)) {
      throw new TypeError('the lines are neither a string nor bytes');
    }
    if (type !== null) needString(type, 'the type');
    const text = payloadOf(lines);
    const count = lineCount(text);
    const codes = new Int32Array(count).fill(-1);
    const consumed = [0];
    const code = c.posthaste_push_many(this.#open(), type, text, sizeOf(text), consumed, codes, count);
    const judged = codes.indexOf(-1);
    return { consumed: Number(consumed[0]), codes: Array.from(judged < 0 ? codes : codes.subarray(0, judged)), code };
  }

  // Throws what push would throw; queues nothing.
  check(type, payload) {
    const json = payloadOf(payload);
    check(c.posthaste_check(this.#open(), type, json, sizeOf(json), last));
  }

  async flush({ timeoutMs = FLUSH_MS } = {}) {
    needInteger(timeoutMs, 'timeoutMs');
    await inTime(
      this.#ticket((ph, out) => c.posthaste_flush_ticket(ph, out, last)),
      timeoutMs,
      'the flush',
    );
  }

  // Resolves when every push and change before it is on disk. Those who ask while the disk is busy share the next one.
  async sync({ timeoutMs = FLUSH_MS } = {}) {
    needInteger(timeoutMs, 'timeoutMs');
    const synced = this.#syncing ? (this.#nextSync ??= this.#syncAfter(this.#syncing)) : this.#beginSync();
    await inTime(synced, timeoutMs, 'the sync');
  }

  openBatch(id) {
    const events = [0];
    const size = [0];
    check(c.posthaste_open_batch(this.#open(), needString(id, 'the id'), events, size, last));
    return { events: Number(events[0]), bytes: Number(size[0]) };
  }

  retryNow(id = null) {
    check(c.posthaste_retry_now(this.#open(), id === null ? null : needString(id, 'the id'), last));
  }

  async batchStatus(id, { limit = 0, all = false } = {}) {
    const which = all ? constants.STATUS_ALL : constants.STATUS_FAILED;
    return this.#operate('batchStatus', needString(id, 'the id'), needInteger(limit, 'limit'), which);
  }

  async waitingList({ after = 0, limit = 0, ...filter } = {}) {
    return this.#operate('waitingList', filter, needInteger(after, 'after'), needInteger(limit, 'limit'));
  }

  async waitingFind(batchId) {
    return this.#operate('waitingFind', needString(batchId, 'the batch id'));
  }

  async deadLetterList({ after = 0, limit = 0, ...filter } = {}) {
    return this.#operate('deadLetterList', filter, needInteger(after, 'after'), needInteger(limit, 'limit'));
  }

  async deadLetterFind(batchId) {
    return this.#operate('deadLetterFind', needString(batchId, 'the batch id'));
  }

  async deadLetterReplay({ timeoutMs = FLUSH_MS, ...filter } = {}) {
    return this.#operate('deadLetterReplay', filter, needInteger(timeoutMs, 'timeoutMs'));
  }

  async deadLetterRemove({ timeoutMs = FLUSH_MS, ...filter } = {}) {
    return this.#operate('deadLetterRemove', filter, needInteger(timeoutMs, 'timeoutMs'));
  }

  async purge(id, { timeoutMs = FLUSH_MS } = {}) {
    return this.#operate('purge', needString(id, 'the id'), needInteger(timeoutMs, 'timeoutMs'));
  }

  async batchExport(batchId) {
    return this.#operate('batchExport', needString(batchId, 'the batch id'));
  }

  async spoolCheck({ timeoutMs = FLUSH_MS } = {}) {
    return this.#operate('spoolCheck', needInteger(timeoutMs, 'timeoutMs'));
  }

  async keyCreate(name, grant, subaccount) {
    return this.#operate('keyCreate', needString(name, 'the name'), grantOf(grant), subaccountOf(subaccount));
  }

  async keyPut(name, key, grant, subaccount) {
    return this.#operate(
      'keyPut',
      needString(name, 'the name'),
      needString(key, 'the key'),
      grantOf(grant),
      subaccountOf(subaccount),
    );
  }

  async keyList() {
    return this.#operate('keyList');
  }

  async keyRevoke(id) {
    return this.#operate('keyRevoke', needString(id, 'the id'));
  }

  // Answers one request to the REST API: {method, target, headers, body, peer, scheme, identity} -> {status, headers, body}.
  async handle(request) {
    return requestOf(request, (made) =>
      this.#ticket((ph, out) => c.posthaste_api_handle_ticket(ph, made, out, last), responseOf),
    );
  }

  stats() {
    const out = [null];
    const code = c.posthaste_stats_json(this.#open(), out);
    if (code !== constants.OK) throw new PosthasteError(code);
    return takeJson(out[0]);
  }

  log(level, line) {
    const code = c.posthaste_log(this.#open(), needInteger(level, 'the level'), needString(line, 'the line'));
    if (code !== constants.OK) throw new PosthasteError(code);
  }

  // What happened, as it happens. Several readers share the reports. Ends when the engine is closed and all is read.
  async *reports() {
    for (;;) {
      const { value, done } = await this.#pump.reports.next();
      if (done) return;
      yield value;
    }
  }

  #open() {
    if (this.#handle === null) throw closedError();
    return this.#handle;
  }

  // What a call gives through its out parameter, taken over by take.
  #made(take, call) {
    const out = [null];
    check(call(this.#open(), out));
    return take(out[0]);
  }

  #ticket(begin, read) {
    const out = [0];
    check(begin(this.#open(), out));
    return this.#pump.ticket(Number(out[0]), this, read);
  }

  #operate(name, ...values) {
    const call = operator.call(name, this.#open(), ...values).finally(() => this.#running.delete(call));
    this.#running.add(call);
    return call;
  }

  #pushError(code, explain) {
    if (code >= FIRST_EVENT_ERROR && code <= LAST_EVENT_ERROR) {
      try {
        explain();
      } catch (error) {
        return error;
      }
    }
    return new PosthasteError(code);
  }

  #beginSync() {
    const begun = this.#isProducer
      ? this.#operate('sync', 0)
      : this.#ticket((ph, out) => c.posthaste_sync_ticket(ph, out, last));
    this.#syncing = begun.finally(() => {
      this.#syncing = null;
    });
    return this.#syncing;
  }

  async #syncAfter(running) {
    await running.catch(() => {});
    this.#nextSync = null;
    return this.#beginSync();
  }

  async #close(timeoutMs) {
    const handle = this.#handle;
    let failure = null;
    try {
      if (c.posthaste_report_fd(handle) < 0) check(c.posthaste_close(handle, 0, last));
      else await this.#ticket((ph, out) => c.posthaste_close_ticket(ph, timeoutMs, out, last));
    } catch (error) {
      failure = error;
    }
    await Promise.allSettled(this.#running);
    this.#pump.close(closedError());
    this.#handle = null;
    registry.unregister(this);
    c.posthaste_free(handle);
    if (failure) throw failure;
  }
}

function lineCount(text) {
  const feed = typeof text === 'string' ? '\n' : 10;
  let count = 1;
  for (let index = text.indexOf(feed); index >= 0; index = text.indexOf(feed, index + 1)) count++;
  return count;
}

function webhookOf(webhook) {
  const out = [null];
  const code = c.posthaste_webhook_json(webhook, out);
  if (code !== constants.OK) throw new PosthasteError(code);
  return takeJson(out[0]);
}

module.exports = { Engine };
