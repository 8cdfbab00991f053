// The texts that Haraka's plugin makes: headers decoded, reasons made general, failures classed.
'use strict';

const assert = require('node:assert');
const test = require('node:test');
const { decodeHeader, generalReason, bounceClass } = require('../../../examples/haraka/plugin/text');

test('encoded words are decoded, and what is none stays', () => {
  for (const [value, text] of [
    ['plain\n', 'plain'],
    ['', ''],
    ['folded\r\n over\n\tlines\r\n', 'folded over\tlines'],
    ['=?utf-8?q?a=C3=A9_b?=', 'a\u00e9 b'],
    ['x =?UTF-8?B?w6k=?= y', 'x \u00e9 y'],
    ['=?utf-8?B?w6k=?= \r\n =?utf-8?B?w6k=?=', '\u00e9\u00e9'],
    ['=?utf-8?B?4pw=?= =?utf-8?B?kw==?=', '\u2713'],
    ['=?iso-8859-1?q?=E9?= =?koi8-r?q?=C1?=', '\u00e9\u0430'],
    ['=?utf-8*en?q?a?=b', 'ab'],
    ['=?iso-2022-jp?B?GyRCJCIbKEI=?=', '\u3042'],
    ['=?utf-8?q?=FF=C3?=', '\ufffd\ufffd'],
    ['=?none?q?a?= =?utf-8?q?b?=', '=?none?q?a?= b'],
    ['=?utf-8?x?a?= =? ?= =??q??= =?utf-8?q?', '=?utf-8?x?a?= =? ?= =??q??= =?utf-8?q?'],
    ['=?utf-8?q?=4?= =?utf-8?q?==41?=', '=4=A'],
  ]) {
    assert.strictEqual(decodeHeader(value), text, value);
  }
});

test('a long header is decoded at once', () => {
  const begun = performance.now();
  assert.strictEqual(decodeHeader('=?utf-8?q?a?= '.repeat(20000)).length, 20001);
  assert.strictEqual(decodeHeader('=?'.repeat(50000)).length, 100000);
  assert.strictEqual(decodeHeader('=?utf-8?q?'.repeat(10000)).length, 100000);
  assert.ok(performance.now() - begun < 5000);
});

test('reasons name no host and no person', () => {
  assert.strictEqual(
    generalReason('550 5.1.1 <a.b@c.test> unknown, 10.0.0.1 said'),
    '550 5.1.1 <user@domain> unknown, a.b.c.d said',
  );
  assert.strictEqual(generalReason('554 5.7.1 (192.0.2.7) listed'), '554 5.7.1 (a.b.c.d) listed');
});

test('failures are classed by the enhanced status first', () => {
  for (const [status, code, isTemporary, expected] of [
    ['5.1.1', '550', false, '10'],
    ['5.2.2', '552', false, '22'],
    ['4.2.2', '452', true, '22'],
    ['5.3.4', '552', false, '23'],
    ['5.7.1', '550', false, '50'],
    ['5.7.26', '550', false, '51'],
    ['5.6.0', '554', false, '52'],
    ['5.4.4', undefined, false, '21'],
    ['4.4.1', undefined, true, '24'],
    ['4.2.1', '451', true, '70'],
    [undefined, '554', false, '30'],
    [undefined, undefined, false, '1'],
  ]) {
    assert.strictEqual(bounceClass(status, code, isTemporary), expected, `${status} ${code}`);
  }
});
