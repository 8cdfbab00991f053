// Reports between the library and those who iterate over them, bounded. Used by the pump alone.
'use strict';

// What a host can do without, and what gives way first when nobody reads.
const CHATTER = new Set(['delivered', 'retrying', 'log', 'limit']);

// Purpose: keeps reports until somebody asks for the next, at most `limit` of them; what had to give way is told by one
// overflow report, as the library itself does. Owned by the pump. Invariant: reports wait or readers wait, never both.
class ReportQueue {
  #limit;
  #reports = [];
  #readers = [];
  #lost = 0;
  #isEnded = false;

  constructor(limit) {
    this.#limit = limit;
  }

  push(report) {
    const reader = this.#readers.shift();
    if (reader) {
      reader({ value: report, done: false });
      return;
    }
    if (this.#reports.length >= this.#limit) this.#giveWay();
    this.#reports.push(report);
  }

  // Nothing comes any more: readers get what waits, then the end.
  end() {
    this.#isEnded = true;
    for (const reader of this.#readers.splice(0)) reader({ value: undefined, done: true });
  }

  next() {
    if (this.#lost > 0) {
      const count = this.#lost;
      this.#lost = 0;
      return Promise.resolve({ value: overflow(count), done: false });
    }
    if (this.#reports.length > 0) return Promise.resolve({ value: this.#reports.shift(), done: false });
    if (this.#isEnded) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  #giveWay() {
    const index = this.#reports.findIndex((report) => CHATTER.has(report.kind));
    const [gone] = this.#reports.splice(Math.max(index, 0), 1);
    this.#lost += gone.kind === 'overflow' ? gone.count : 1;
  }
}

function overflow(count) {
  return {
    kind: 'overflow',
    webhook_id: '',
    batch_id: '',
    message: `${count} reports were lost for want of room`,
    ticket: 0,
    code: 0,
    reason: 'none',
    reached: 'no',
    status: 0,
    network_name: '',
    attempts: 0,
    events: 0,
    count,
    bytes: 0,
    time_ms: Date.now(),
    next_try_ms: 0,
    timing_us: { dns: 0, connect: 0, tls: 0, first_byte: 0, total: 0 },
    level: 0,
  };
}

module.exports = { ReportQueue };
