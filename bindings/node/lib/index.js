// What the package exports.
'use strict';

const { c, constants, takeJson } = require('./native');
const { PosthasteError, check, last } = require('./errors');
const { Engine } = require('./engine');
const { Event } = require('./event');

const version = c.posthaste_version();

// The configuration keys: one, or all in an array.
function describe(key = null) {
  const out = [null];
  check(c.posthaste_conf_describe(key, out, last));
  return takeJson(out[0]);
}

module.exports = { Engine, Event, PosthasteError, constants, describe, version };
