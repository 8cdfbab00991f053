// Calls that read or write the disk, or wait without a ticket, on a thread of their own: the event loop never waits for
// them, and libuv's pool, of four threads by default, stays free for the host. Used by the engine.
'use strict';

const path = require('node:path');
const { Worker } = require('node:worker_threads');
const { unpack } = require('./errors');

const IDLE_MS = 5000; // the thread ends when nothing was asked of it for so long

// Purpose: one thread for all engines of this Node thread, begun at the first call, one call after the other. It keeps
// the process alive while a call runs, and only then.
class Operator {
  #worker = null;
  #calls = new Map();
  #number = 0;
  #idle = null;

  // Promises the result of operator_thread.js's function of that name.
  call(name, handle, ...values) {
    clearTimeout(this.#idle);
    const worker = this.#worker ?? this.#begin();
    worker.ref();
    const number = ++this.#number;
    worker.postMessage({ number, name, handle, values });
    return new Promise((resolve, reject) => this.#calls.set(number, { resolve, reject }));
  }

  #begin() {
    const worker = new Worker(path.join(__dirname, 'operator_thread.js'), { stdin: false });
    this.#worker = worker;
    worker.on('message', ({ number, result, error }) => this.#settle(number, result, error));
    worker.on('error', (error) => this.#fail(worker, error));
    worker.on('exit', () => this.#fail(worker, new Error("the operator's thread has ended")));
    return worker;
  }

  #settle(number, result, error) {
    const call = this.#calls.get(number);
    this.#calls.delete(number);
    if (error) call.reject(unpack(error));
    else call.resolve(result);
    if (this.#calls.size > 0) return;
    this.#worker.unref();
    this.#idle = setTimeout(() => this.#end(), IDLE_MS).unref();
  }

  #end() {
    const worker = this.#worker;
    this.#worker = null;
    worker.terminate();
  }

  #fail(worker, error) {
    if (worker !== this.#worker) return;
    this.#worker = null;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}

module.exports = { operator: new Operator() };
