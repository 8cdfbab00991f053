// What fails is thrown as a PosthasteError, whose `code` is the name of the C constant. Used by every other file.
'use strict';

const { c, bytes, constants } = require('./native');

const PHASES = ['none', 'dns', 'connect', 'tls', 'timeout', 'http'];

// One line that names the culprit, the constant's name as `code` and its number as `errno`, as Node's own errors have
// them. A failed verification tells besides how far it came and what was answered.
class PosthasteError extends Error {
  constructor(number, message, key = '') {
    super(message || c.posthaste_strerror(number));
    this.name = 'PosthasteError';
    this.code = c.posthaste_error_name(number);
    this.errno = number;
    this.key = key;
  }
}

// The error object of this thread; what a call wrote is read before the next call.
const last = c.posthaste_error_new();

function readVerification(error) {
  error.phase = PHASES[c.posthaste_error_phase(last)];
  error.networkName = c.posthaste_error_network_name(last);
  error.status = c.posthaste_error_status(last);
  error.headers = [];
  const count = Number(c.posthaste_error_header_count(last));
  for (let index = 0; index < count; index++) {
    const name = c.posthaste_error_header_name(last, index);
    error.headers.push([name, c.posthaste_error_header_value(last, index)]);
  }
  const size = [0];
  const body = c.posthaste_error_body(last, size);
  error.body = bytes(body, Number(size[0]));
}

// What the last call wrote into `last`.
function lastError() {
  const number = c.posthaste_error_code(last);
  const error = new PosthasteError(number, c.posthaste_error_message(last), c.posthaste_error_key(last));
  if (number === constants.E_VERIFY_FAILED) readVerification(error);
  return error;
}

// Throws what a call wrote into `last` unless its code is OK.
function check(code) {
  if (code !== constants.OK) throw lastError();
}

// An error as it crosses from the operator's thread, and back.
function pack(error) {
  if (!(error instanceof PosthasteError)) return { message: String(error.message) };
  return { errno: error.errno, message: error.message, key: error.key };
}

function unpack(packed) {
  if (packed.errno === undefined) return new Error(packed.message);
  return new PosthasteError(packed.errno, packed.message, packed.key);
}

function closedError() {
  return new PosthasteError(constants.E_STATE, 'the engine is closed');
}

module.exports = { PosthasteError, last, lastError, check, pack, unpack, closedError };
