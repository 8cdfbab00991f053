// The C functions, as koffi calls them, and the small conversions that every other file needs. Nothing here knows what
// an engine is. Each Node thread that loads it has its own copy and its own error object; the library is loaded once.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const koffi = require('koffi');
const { handles, callbacks, functions, constants } = require('./declarations');

// A library named by the environment, else one that the package carries, else what the system's loader finds.
function libraryPath() {
  if (process.env.POSTHASTE_LIBRARY) return process.env.POSTHASTE_LIBRARY;
  const carried = path.join(__dirname, '..', 'native', 'libposthaste.so.0');
  return fs.existsSync(carried) ? carried : 'libposthaste.so.0';
}

// deep is RTLD_DEEPBIND: without it libcurl's OpenSSL would bind to the other OpenSSL that Node itself exports.
const library = koffi.load(libraryPath(), { deep: true });
for (const name of handles) koffi.opaque(name);
for (const prototype of callbacks) koffi.proto(prototype);

const c = {};
for (const [name, prototype] of Object.entries(functions)) c[name] = library.func(prototype);

const F_DUPFD_CLOEXEC = 1030;
const fcntl = koffi.load(null).func('int fcntl(int descriptor, int command, ...)');

// A copy of a descriptor that the caller closes.
function duplicate(descriptor) {
  const copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 'int', 0);
  if (copy < 0) throw new Error(`a descriptor cannot be copied, errno ${koffi.errno()}`);
  return copy;
}

// Characters whose size is told besides.
function text(address, size) {
  return size === 0 ? '' : koffi.decode.string(address, size);
}

function bytes(address, size) {
  return size === 0 ? Buffer.alloc(0) : Buffer.from(new Uint8Array(koffi.view(address, size)));
}

// Takes a posthaste_text_t over: its content.
function takeText(handle) {
  try {
    return text(c.posthaste_text_data(handle), Number(c.posthaste_text_size(handle)));
  } finally {
    c.posthaste_text_free(handle);
  }
}

function takeJson(handle) {
  return JSON.parse(takeText(handle));
}

module.exports = { c, constants, duplicate, koffi, text, bytes, takeText, takeJson };
