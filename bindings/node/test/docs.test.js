// Every program in docs/node.md runs, and the quickstart there is the example's.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { startReceiver, temporaryFolder, runProgram } = require('./support');

const ROOT = path.join(__dirname, '..', '..', '..');
const page = fs.readFileSync(path.join(ROOT, 'docs', 'node.md'), 'utf8');
const programs = [...page.matchAll(/^## ([^\n]*)$|^```js\n(.*?)^```/gms)].reduce(
  (found, [, heading, source]) => {
    if (heading) found.heading = heading;
    else found.list.push({ heading: found.heading, source });
    return found;
  },
  { heading: '', list: [] },
).list;

test('the page shows the quickstart as it is', () => {
  const quickstart = fs.readFileSync(path.join(ROOT, 'examples', 'node', 'quickstart.js'), 'utf8');
  assert.ok(programs.some(({ source }) => source === quickstart));
  assert.ok(programs.length >= 8);
});

for (const [index, { heading, source }] of programs.entries()) {
  test(`program ${index + 1} of the page, under "${heading}", runs`, async (t) => {
    const receiver = await startReceiver(t);
    const folder = temporaryFolder(t);
    const file = path.join(folder, 'program.js');
    fs.writeFileSync(file, source.replaceAll('http://127.0.0.1:8080/hook', receiver.url));
    const result = await runProgram('', { file, folder, parameters: [receiver.url] }).ended;
    assert.deepStrictEqual([result.status, result.stderr], [0, '']);
    for (const [, line] of source.matchAll(/console\.log\(.*\);  \/\/ (.*)$/gm))
      assert.ok(result.stdout.includes(line), line);
    if (source.includes("'http://127.0.0.1:8080/hook'")) assert.ok(receiver.events.length > 0, 'nothing arrived');
  });
}
