// The builder of one event's payload, field by field. Hosts fill it and push it with engine.push(event).
'use strict';

const { c, constants } = require('./native');
const { PosthasteError, check, last } = require('./errors');
const { needString, jsonOf } = require('./values');

const registry = new FinalizationRegistry((handle) => c.posthaste_event_free(handle));

// Purpose: writes each field of the catalogue in its wire type whatever type it was given in, and repairs what is no
// UTF-16. It holds no engine, may outlive it, and is used over and over. The first error sticks, until reset or rewind:
// setters throw it, and push does.
class Event {
  #handle;

  constructor(type) {
    this.#handle = c.posthaste_event_new(needString(type, 'the type'));
    if (!this.#handle) throw new PosthasteError(constants.E_NO_MEMORY);
    registry.register(this, this.#handle);
  }

  // The C handle, for the engine.
  static handleOf(event) {
    return event.#handle;
  }

  static isEvent(value) {
    return value !== null && typeof value === 'object' && #handle in value;
  }

  // Empties it for another event, of the same type when none is given.
  reset(type = null) {
    return this.#done(c.posthaste_event_reset(this.#handle, type === null ? null : needString(type, 'the type')));
  }

  // A member of the open object, or with key null an element of the open array. undefined sets nothing.
  set(key, value) {
    if (key !== null) needString(key, 'the key');
    switch (typeof value) {
      case 'undefined':
        return this;
      case 'string':
        return this.#done(c.posthaste_event_set_text(this.#handle, key, value, Buffer.byteLength(value)));
      case 'boolean':
        return this.#done(c.posthaste_event_set_bool(this.#handle, key, value ? 1 : 0));
      case 'bigint':
        return this.#done(c.posthaste_event_set_int(this.#handle, key, value));
      case 'number':
        if (Number.isSafeInteger(value)) return this.#done(c.posthaste_event_set_int(this.#handle, key, value));
        return this.#done(c.posthaste_event_set_double(this.#handle, key, value));
      default: {
        const json = jsonOf(value);
        return this.#done(c.posthaste_event_set_json(this.#handle, key, json, Buffer.byteLength(json)));
      }
    }
  }

  // Every member of an object, as set.
  setAll(fields) {
    for (const [key, value] of Object.entries(fields)) this.set(key, value);
    return this;
  }

  beginObject(key = null) {
    return this.#done(c.posthaste_event_begin_object(this.#handle, key));
  }

  beginArray(key = null) {
    return this.#done(c.posthaste_event_begin_array(this.#handle, key));
  }

  end() {
    return this.#done(c.posthaste_event_end(this.#handle));
  }

  mark() {
    return this.#done(c.posthaste_event_mark(this.#handle));
  }

  rewind() {
    return this.#done(c.posthaste_event_rewind(this.#handle));
  }

  // Throws the first error, if there is one.
  check() {
    check(c.posthaste_event_check(this.#handle, last));
  }

  #done(code) {
    if (code !== constants.OK) {
      this.check();
      throw new PosthasteError(code);
    }
    return this;
  }
}

module.exports = { Event };
