// Texts of mail for events: decoded subjects, reasons without their variable parts, classes of failures.
'use strict';

const ENCODED_WORD = /=\?([!-<>@-~]+?)\?([BbQq])\?([!->@-~]*)\?=/g;

function wordBytes(encoding, text) {
  if (encoding.toUpperCase() === 'B') return Buffer.from(text, 'base64');
  const plain = text
    .replaceAll('_', ' ')
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(plain, 'latin1');
}

// A decoder of the charset, without the language that RFC 2231 allows behind it; null for an unknown one.
function decoderOf(charset) {
  try {
    return new TextDecoder(charset.split('*')[0]);
  } catch {
    return null;
  }
}

// The text of an unstructured header field (RFC 5322, RFC 2047): folds undone, encoded words decoded, the space between
// two of them dropped. A character may be spread over neighbours of one charset. What cannot be decoded stays as it is.
function decodeHeader(value) {
  const text = value.replace(/\r?\n$/, '').replace(/\r?\n(?=[ \t])/g, '');
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(ENCODED_WORD)) {
    const [word, charset, encoding, coded] = match;
    if (!decoderOf(charset)) continue;
    const between = text.slice(end, match.index);
    const last = parts.at(-1);
    const isNeighbour = last?.charset !== undefined && /^[ \t]*$/.test(between);
    if (!isNeighbour) parts.push({ text: between });
    const bytes = wordBytes(encoding, coded);
    if (isNeighbour && last.charset === charset.toLowerCase()) last.bytes.push(bytes);
    else parts.push({ charset: charset.toLowerCase(), bytes: [bytes] });
    end = match.index + word.length;
  }
  parts.push({ text: text.slice(end) });
  return parts
    .map((part) => (part.text !== undefined ? part.text : decoderOf(part.charset).decode(Buffer.concat(part.bytes))))
    .join('');
}

// A reply with what differs from message to message written in general: addresses of hosts and of people.
function generalReason(text) {
  return text
    .replace(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, 'a.b.c.d')
    .replace(/[^\s<>"(),:;]+@[^\s<>"(),:;]+/g, 'user@domain');
}

// Bounce classes by enhanced status code (RFC 3463), without its first figure.
const CLASSES = [
  [/^1\.[0-36]$/, '10'], // no such recipient
  [/^1\.[78]$/, '25'], // the sender's address is at fault
  [/^2\.2$/, '22'], // mailbox full
  [/^[23]\.[34]$/, '23'], // too large
  [/^1\.|^4\.4$/, '21'], // no such domain, no route
  [/^4\.[1267]$/, '24'], // no answer, no connection, too late
  [/^7\.1$/, '50'], // not allowed to deliver
  [/^7\./, '51'], // other matters of security and policy
  [/^6\./, '52'], // content
];

// The class of a failure: enhanced status first, then the reply code; 1 is undetermined.
function bounceClass(status, code, isTemporary) {
  const known = CLASSES.find(([pattern]) => pattern.test(String(status ?? '').replace(/^[245]\./, '')));
  if (known) return known[1];
  if (isTemporary) return '70';
  return /^5/.test(String(code ?? '')) ? '30' : '1';
}

module.exports = { decodeHeader, generalReason, bounceClass };
