// A receiver's side of Standard Webhooks, made of other people's code: the specification's own
// library for v1, Node's crypto for v1a, Node's zlib and the zstd command for content codings.
//
// Usage: verify_webhooks.js NODE_MODULES REQUESTS KEY...
//   REQUESTS  a line of JSON for each request: {"headers": {...}, "body": "<hex>"}
//   KEY       whsec_... or whpk_..., with each of which every request must verify
// Prints for each request its webhook-id, its webhook-timestamp and its number of events.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const zlib = require('zlib');
const { execFileSync } = require('child_process');

const [modules, requests, ...keys] = process.argv.slice(2);
const { Webhook } = require(path.join(modules, 'standardwebhooks'));

function decode(coding, body) {
  if (coding === undefined) return body;
  if (coding === 'gzip') return zlib.gunzipSync(body);
  if (coding === 'zstd') return execFileSync('zstd', ['-dc'], { input: body, maxBuffer: 1 << 28 });
  throw new Error(`unknown Content-Encoding ${coding}`);
}

function verifyEd25519(key, body, headers) {
  const raw = Buffer.from(key.slice('whpk_'.length), 'base64');
  const publicKey = crypto.createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }, format: 'jwk' });
  const signed = Buffer.concat([
    Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), body]);
  const isGood = headers['webhook-signature'].split(' ').some((signature) => {
    const [version, text] = signature.split(',');
    return version === 'v1a' && crypto.verify(null, signed, publicKey, Buffer.from(text, 'base64'));
  });
  if (!isGood) throw new Error('no v1a signature verifies');
  return JSON.parse(body);
}

for (const line of fs.readFileSync(requests, 'utf8').split('\n').filter(Boolean)) {
  const { headers, body } = JSON.parse(line);
  const json = decode(headers['content-encoding'], Buffer.from(body, 'hex'));
  let events = JSON.parse(json);
  for (const key of keys) {
    events = key.startsWith('whpk_') ? verifyEd25519(key, json, headers)
                                     : new Webhook(key).verify(json, headers);
  }
  console.log(headers['webhook-id'], headers['webhook-timestamp'], events.length);
}
