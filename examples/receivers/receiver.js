// A receiver of Posthaste's batches: checks the token or the signature, answers first and works later (here: prints each
// event as a line of JSON), stops when the sender hangs up, counts every batch and event once. Nothing but Node.
'use strict';
const crypto = require('crypto');
const http = require('http');
const zlib = require('zlib');

const BODY_MAX = 64 << 20; // bytes of JSON
const SEEN_MAX = 1_000_000; // ids to remember: more than come while a sender tries again
const options = { port: '8080', token: '', secret: '' };
for (let i = 2; i < process.argv.length; i += 2) options[process.argv[i].slice(2)] = process.argv[i + 1];

const codings = { identity: (body) => body, gzip: (body) => zlib.gunzipSync(body, { maxOutputLength: BODY_MAX }) };
if (zlib.zstdDecompressSync) codings.zstd = (body) => zlib.zstdDecompressSync(body, { maxOutputLength: BODY_MAX });

const seen = { batches: new Set(), events: new Set() };

// Whether it is new.
function adds(ids, id) {
  if (ids.has(id)) return false;
  ids.add(id);
  if (ids.size > SEEN_MAX) ids.delete(ids.values().next().value);
  return true;
}

function isSame(left, right) {
  const digest = (text) => crypto.createHash('sha256').update(text).digest();
  return crypto.timingSafeEqual(digest(left), digest(right));
}

function isGenuine(headers, text) {
  if (!options.secret) return isSame(headers['x-messagesystems-webhook-token'] ?? '', options.token);
  const stamp = headers['webhook-timestamp'] ?? '';
  if (!/^\d+$/.test(stamp) || Math.abs(Date.now() / 1000 - stamp) > 300) return false;
  const key = Buffer.from(options.secret.replace('whsec_', ''), 'base64');
  const right = crypto.createHmac('sha256', key).update(`${headers['webhook-id']}.${stamp}.`).update(text);
  const expected = `v1,${right.digest('base64')}`;
  return (headers['webhook-signature'] ?? '').split(' ').some((one) => isSame(one, expected));
}

// Returns the status to answer with; hands new batches to the work.
function take(headers, body) {
  const decode = codings[headers['content-encoding'] ?? 'identity'];
  if (!decode) return 415; // it comes again as plain JSON
  let records;
  try {
    const text = decode(body);
    if (!isGenuine(headers, text)) return 401;
    records = JSON.parse(text);
  } catch {
    return 400;
  }
  if (adds(seen.batches, headers['x-messagesystems-batch-id'])) setImmediate(work, records);
  return 200;
}

function work(records) {
  for (const event of records.flatMap((record) => Object.values(record.msys))) {
    if (adds(seen.events, event.event_id)) console.log(JSON.stringify(event));
  }
}

const server = http.createServer((request, response) => {
  const parts = [];
  let size = 0;
  // The sender has given up waiting, and sends the batch again.
  response.on('close', () => response.writableFinished || console.error('the sender hung up'));
  request.on('data', (part) => {
    size += part.length;
    if (size <= BODY_MAX) parts.push(part);
    else if (!response.headersSent) response.writeHead(413, { Connection: 'close' }).end();
  });
  // A hang-up that waits behind the body is seen in the turn after.
  request.on('end', () => setImmediate(setImmediate, () => {
    if (response.headersSent || request.socket.readableEnded || request.socket.destroyed) return;
    response.writeHead(take(request.headers, Buffer.concat(parts))).end();
  }));
});
server.listen(Number(options.port), '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
