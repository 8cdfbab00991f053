// Brings an engine's reports and tickets into the event loop through the report descriptor, a pipe. Used by the engine.
'use strict';

const net = require('node:net');
const { c, constants, duplicate, takeJson } = require('./native');
const { last, lastError } = require('./errors');
const { ReportQueue } = require('./report_queue');

const REPORTS_MAX = 4096; // how many wait in JavaScript for a reader
const REPORTS_A_TURN = 256; // how many one turn of the event loop takes: about a millisecond

// Purpose: pulls every report as it comes, settles the promise of its ticket, and queues the rest for readers. Owned by
// its engine; owns a copy of the descriptor. Knows the engine's handle, not the engine, so that a dropped engine can be
// collected; a ticket that is waited for holds it. Invariant: the socket keeps the process alive only while a ticket is
// waited for, or after ref().
class ReportPump {
  #handle;
  #socket = null;
  #tickets = new Map();
  #isHeld = false;
  reports = new ReportQueue(REPORTS_MAX);

  constructor(handle) {
    this.#handle = handle;
  }

  // Begins to watch; a producer has no descriptor, and no reports.
  open() {
    const descriptor = c.posthaste_report_fd(this.#handle);
    if (descriptor < 0) return;
    this.#socket = new net.Socket({ fd: duplicate(descriptor), readable: true, writable: false });
    this.#socket.on('data', () => this.#pull());
    this.#socket.on('error', () => this.#socket.destroy());
    this.#hold();
  }

  // Promises what read makes of the ticket's report; holder stays reachable until then.
  ticket(number, holder, read = () => undefined) {
    return new Promise((resolve, reject) => {
      this.#tickets.set(number, { resolve, reject, read, holder });
      this.#hold();
    });
  }

  ref(isHeld) {
    this.#isHeld = isHeld;
    this.#hold();
  }

  // Takes what is left, ends readers, and watches no more. Tickets that still wait are refused with the given error.
  close(error) {
    while (this.#take());
    this.stop();
    for (const { reject } of this.#tickets.values()) reject(error);
    this.#tickets.clear();
    this.reports.end();
  }

  stop() {
    this.#socket?.destroy();
    this.#socket = null;
    this.#handle = null;
  }

  #hold() {
    if (this.#isHeld || this.#tickets.size > 0) this.#socket?.ref();
    else this.#socket?.unref();
  }

  // The descriptor tells of the change from empty to not only, so what one turn leaves the next one takes unasked.
  #pull() {
    for (let i = 0; i < REPORTS_A_TURN; i++) {
      if (!this.#handle || !this.#take()) return;
    }
    setImmediate(() => this.#pull());
  }

  #take() {
    const out = [null];
    if (c.posthaste_poll(this.#handle, 0, out) !== constants.OK) return false;
    const report = out[0];
    try {
      const ticket = Number(c.posthaste_report_ticket(report));
      if (ticket > 0) this.#settle(ticket, report);
      else this.reports.push(jsonOf(report));
    } finally {
      c.posthaste_report_free(report);
    }
    return true;
  }

  #settle(number, report) {
    const ticket = this.#tickets.get(number);
    if (!ticket) return;
    this.#tickets.delete(number);
    this.#hold();
    try {
      if (c.posthaste_report_error(report, last) !== constants.OK) throw lastError();
      ticket.resolve(ticket.read(report));
    } catch (error) {
      ticket.reject(error);
    }
  }
}

function jsonOf(report) {
  const out = [null];
  if (c.posthaste_report_json(report, out) !== constants.OK) throw new Error('out of memory');
  return takeJson(out[0]);
}

module.exports = { ReportPump };
