// Haraka's plugin: pushes injection, delivery, delay, bounce and policy_rejection events into an engine of the Node
// package `posthaste`. Settings and webhooks stand in config/posthaste.json. With spool.dir set, Haraka goes on with a
// message only when its event is on disk: the answer to the client waits for the injection, the removal of the queue
// file for the delivery. Mail never fails because of events: one that finds no room is counted and logged, and nobody
// waits for a disk that is full or stands still.
'use strict';

const cluster = require('node:cluster');
const os = require('node:os');
const { Engine } = require('posthaste');
const fields = require('./fields');

// Less than the time after which Haraka takes a plugin for dead.
const SYNC_MS = 5000;
const COMPLAINT_MS = 1000;
const PROBE_MS = 1000;
const GATHER_MS = 10;

let engine = null;
let isDurable = false;
let nodeName = os.hostname();
let lost = 0;
let complained = 0;
// What goes on when the disk has what was pushed: behind the sync under way, and behind the next one.
let covered = [];
let waiting = [];
let isSyncing = false;
// Whether the last sync was for several messages.
let isBusy = false;
// While the disk is lost nobody waits for it.
let isDiskLost = false;

exports.register = function () {
  // Haraka listens before these are called.
  this.register_hook('init_master', 'begin', -100);
  this.register_hook('init_child', 'begin', -100);
  this.register_hook('connect', 'wait_for_engine', -100);
  // Behind every other plugin: what they add to a message is known then, and what they forbid is forbidden for good.
  this.register_hook('data_post', 'note_message', 100);
  this.register_hook('rcpt', 'refuse_relaying', 100);
  this.register_hook('deny', 'note_rejection', 100);
  this.register_hook('pre_send_trans_email', 'note_queueing', 100);
  this.register_hook('queue_ok', 'note_injection', -100);
  this.register_hook('delivered', 'note_delivery', -100);
  this.register_hook('deferred', 'note_delay', -100);
  this.register_hook('bounce', 'note_bounce', -100);
};

// Makes this process's engine. With several processes (nodes in smtp.ini) and a spool, the first one delivers and the
// others are producers; without a spool each has an engine in memory of its own.
exports.begin = function (next, server) {
  try {
    const { settings = {}, webhooks = {} } = this.config.get('posthaste.json');
    nodeName = this.config.get('me') || nodeName;
    isDurable = Boolean(settings['spool.dir']);
    const isShared = Boolean(server?.cluster);
    if (isShared && cluster.isPrimary && !isDurable) return next();
    const made = new Engine(
      isShared && !cluster.isPrimary && isDurable ? { ...settings, role: 'producer' } : settings,
    );
    const isProducer = made.get('role') === 'producer';
    if (!isProducer) for (const [id, webhook] of Object.entries(webhooks)) made.put(id, webhook);
    engine = made.start();
    if (!isProducer) this.log_reports();
    next();
  } catch (error) {
    this.logcrit(`cannot begin: ${error.message}`);
    next(DENY, error.message);
  }
};

exports.wait_for_engine = function (next) {
  if (engine) return next();
  next(DENYSOFTDISCONNECT, 'starting, come again');
};

// Called when Haraka ends gracefully; else the engine is left as it is, and what is in the spool stays there.
exports.shutdown = function () {
  engine?.close().catch((error) => this.logwarn(`close: ${error.message}`));
};

exports.log_reports = async function () {
  for await (const report of engine.reports()) {
    const { kind, webhook_id, message, reason, events, code } = report;
    if (kind === 'dropped') this.logwarn(`webhook ${webhook_id}: ${events} events dropped: ${reason}`);
    else if (kind === 'spool' && code !== 0) this.lose_disk(message);
    else if (kind !== 'delivered') this.loginfo(`${kind} ${webhook_id}: ${message}`);
  }
};

exports.note_message = function (next, connection) {
  const { transaction } = connection;
  if (transaction) transaction.notes.posthaste = fields.messageContext(transaction, connection);
  next();
};

// Last before the queue file is written, and the only hook for messages that Haraka makes itself, such as bounces.
exports.note_queueing = function (next, { transaction }) {
  if (!transaction.notes.posthaste) {
    transaction.notes.posthaste = fields.messageContext(transaction, null);
    this.push_injections(transaction);
  }
  next();
};

exports.note_injection = function (next, connection) {
  const { transaction } = connection;
  if (!transaction) return next();
  transaction.notes.posthaste ??= fields.messageContext(transaction, connection);
  this.settle(next, this.push_injections(transaction));
};

exports.push_injections = function (transaction) {
  const context = transaction.notes.posthaste;
  return this.push_all('injection', context.fields, transaction.rcpt_to, (recipient) => ({
    ...fields.recipientFields(recipient, context),
    routing_domain: recipient.host ?? undefined,
  }));
};

exports.note_delivery = function (next, hmail, params) {
  const context = hmail.todo.notes.posthaste;
  const shared = { ...context?.fields, ...fields.deliveredFields(hmail, params) };
  const own = (recipient) => fields.recipientFields(recipient, context);
  this.settle(next, this.push_all('delivery', shared, params[6], own));
};

exports.note_delay = function (next, hmail, params) {
  const context = hmail.todo.notes.posthaste;
  const shared = { ...context?.fields, ...fields.deferredFields(hmail, params) };
  const own = (recipient) => ({
    ...fields.recipientFields(recipient, context),
    ...fields.failureFields(recipient, params.err, true),
  });
  this.settle(next, this.push_all('delay', shared, params.fail_recips ?? hmail.todo.rcpt_to, own));
};

exports.note_bounce = function (next, hmail, error) {
  const context = hmail.todo.notes.posthaste;
  const shared = { ...context?.fields, ...fields.bouncedFields(hmail, error) };
  const own = (recipient) => ({
    ...fields.recipientFields(recipient, context),
    ...fields.failureFields(recipient, error, false),
  });
  // Of a message that was split only these have Haraka's notes on what each recipient was told.
  const recipients = error.bounced_rcpt ?? error.deferred_rcpt ?? hmail.todo.rcpt_to;
  this.settle(next, this.push_all('bounce', shared, recipients, own));
};

// Haraka refuses a recipient for which no plugin spoke, and calls no hook then; this one is the last that is asked.
exports.refuse_relaying = function (next, connection, [recipient]) {
  if (connection.relaying) return next();
  this.settle(next, this.push_rejections(connection, `I cannot deliver mail for ${recipient.format()}`, [recipient]));
};

// A plugin's refusal for good; one for now (DENYSOFT) is no rejection.
exports.note_rejection = function (next, connection, [code, message, , , , hook]) {
  if (code !== DENY && code !== DENYDISCONNECT) return next();
  const recipients = connection.transaction?.rcpt_to ?? [];
  this.settle(next, this.push_rejections(connection, message, hook === 'rcpt' ? recipients.slice(-1) : recipients));
};

exports.push_rejections = function (connection, message, recipients) {
  const { transaction } = connection;
  const context = transaction && (transaction.notes.posthaste ?? fields.messageContext(transaction, connection));
  const shared = fields.rejectionFields(connection, context, message);
  const own = (recipient) => (recipient ? fields.recipientFields(recipient, context) : {});
  return this.push_all('policy_rejection', shared, recipients.length > 0 ? recipients : [null], own);
};

// One event for each recipient. own: a recipient's fields. Returns how many were taken.
exports.push_all = function (type, shared, recipients, own) {
  if (!engine?.wants(type)) return 0;
  let pushed = 0;
  for (const recipient of recipients) {
    try {
      engine.push(type, { node_name: nodeName, ...shared, ...own(recipient) });
      pushed++;
    } catch (error) {
      this.complain(error);
    }
  }
  return pushed;
};

exports.complain = function (error) {
  lost++;
  if (Date.now() - complained < COMPLAINT_MS) return;
  complained = Date.now();
  this.logwarn(`${lost} events found no room so far, the last one: ${error.message}`);
};

// Lets Haraka go on once what was pushed is on disk.
exports.settle = function (next, pushed) {
  if (!isDurable || pushed === 0 || isDiskLost) return next();
  waiting.push(next);
  if (isSyncing) return;
  isSyncing = true;
  // What other messages push in this turn of the event loop shares the sync.
  setImmediate(() => this.sync_waiting());
};

// With several messages under way each sync waits a moment for more of them: a few milliseconds in a queue cost nothing,
// while each sync costs the disk that Haraka's queue is on, too. A message alone waits for nobody.
exports.sync_waiting = async function () {
  while (waiting.length > 0 && !isDiskLost) {
    if (isBusy) await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    covered = waiting;
    waiting = [];
    isBusy = covered.length > 1;
    await engine.sync({ timeoutMs: SYNC_MS }).then(
      () => go_on(covered.splice(0)),
      (error) => this.lose_disk(error.message),
    );
  }
  isSyncing = false;
};

// Each in a turn of its own: what one throws is its own matter.
function go_on(callbacks) {
  for (const next of callbacks) process.nextTick(next);
}

// Holds no mail up for the disk until a sync has succeeded. Events are pushed meanwhile, as long as there is room.
exports.lose_disk = async function (message) {
  go_on([...covered.splice(0), ...waiting.splice(0)]);
  if (isDiskLost || engine.isClosed) return;
  isDiskLost = true;
  this.logerror(`mail goes on without waiting for the disk: ${message}`);
  while (isDiskLost && !engine.isClosed) {
    await new Promise((resolve) => setTimeout(resolve, PROBE_MS).unref());
    await engine.sync({ timeoutMs: SYNC_MS }).then(
      () => {
        isDiskLost = false;
      },
      () => {},
    );
  }
  this.lognotice('mail waits for the disk again');
};
