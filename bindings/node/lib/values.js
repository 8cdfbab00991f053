// How JavaScript's values become what the C functions take: settings, webhooks, payloads. Used by the engine.
'use strict';

const { c } = require('./native');
const { check, last } = require('./errors');

// The members of a webhook that only the REST shape has; every other member is a key of posthaste_webhook_set.
const REST_MEMBERS = new Set([
  'auth_type',
  'auth_credentials',
  'auth_request_details',
  'custom_headers',
  'subaccount_id',
  'exception_subaccounts',
  'settings',
]);
// What a snapshot tells and nobody sets.
const READ_ONLY_MEMBERS = new Set(['id', 'state', 'created', 'last_successful', 'last_failure']);

function wrongType(what, wanted) {
  return new TypeError(`${what} is not ${wanted}`);
}

function needString(value, what) {
  if (typeof value !== 'string') throw wrongType(what, 'a string');
  return value;
}

function needObject(value, what) {
  if (value === null || typeof value !== 'object') throw wrongType(what, 'an object');
  return value;
}

function needInteger(value, what) {
  if (!Number.isSafeInteger(value) || value < 0) throw wrongType(what, 'a whole number that is not negative');
  return value;
}

// The text of one key; null clears it.
function settingText(value, key) {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map((item) => needString(item, `an element of ${key}`)).join(',');
  throw wrongType(key, 'a string, number, boolean, array of strings or null');
}

// What the library is given for a key. Without ticket reports no promise would ever settle, so they are always asked for.
function libraryText(value, key) {
  const text = settingText(value, key);
  if (
    key !== 'report.kinds' ||
    text === null ||
    text.split(',').some((kind) => ['all', 'ticket'].includes(kind.trim()))
  ) {
    return text;
  }
  return text.trim() === 'none' ? 'ticket' : `${text},ticket`;
}

// Calls use with a configuration made of an object of keys and values.
function withConf(settings, use) {
  const conf = c.posthaste_conf_new();
  try {
    for (const [key, value] of Object.entries(settings)) {
      check(c.posthaste_conf_set(conf, key, libraryText(value, key), last));
    }
    return use(conf);
  } finally {
    c.posthaste_conf_free(conf);
  }
}

// Calls use with a description made of an object: what find gave, or keys of posthaste_webhook_set.
function withWebhook(webhook, use) {
  needObject(webhook, 'the webhook');
  const description = c.posthaste_webhook_new();
  try {
    const rest = {};
    for (const [key, value] of Object.entries(webhook)) {
      if (READ_ONLY_MEMBERS.has(key) || value === undefined) continue;
      if (REST_MEMBERS.has(key)) rest[key] = value;
      else check(c.posthaste_webhook_set(description, key, settingText(value, key), last));
    }
    if (Object.keys(rest).length > 0) {
      const json = JSON.stringify(rest);
      check(c.posthaste_webhook_set_json(description, json, Buffer.byteLength(json), last));
    }
    return use(description);
  } finally {
    c.posthaste_webhook_free(description);
  }
}

// JSON.stringify escapes what is no whole UTF-16 pair; JSON that goes out must be UTF-8, so it becomes U+FFFD. An
// escaped backslash is matched besides, lest `\\ud800`, which is plain text, be taken for an escape.
function jsonOf(value) {
  const json = JSON.stringify(value);
  if (json === undefined) throw wrongType('the payload', 'an object, a string or bytes');
  if (!json.includes('\\ud')) return json;
  return json.replace(/\\(?:\\|ud[89a-f][0-9a-f]{2})/g, (found) => (found.length === 2 ? found : '\ufffd'));
}

// Bytes and strings are JSON already; any other object is written as JSON. No bytes are "": koffi would make them null.
function payloadOf(value) {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return value.length === 0 ? '' : value;
  return jsonOf(needObject(value, 'the payload'));
}

function sizeOf(payload) {
  return typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
}

module.exports = { needString, needObject, needInteger, libraryText, withConf, withWebhook, jsonOf, payloadOf, sizeOf };
