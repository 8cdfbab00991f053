// The shortest useful host: one webhook, three events, and what became of them.
//   node quickstart.js http://127.0.0.1:8080/hook
'use strict';

const { Engine } = require('posthaste');

async function main(url) {
  // An engine's settings are texts under the names of docs/configuration.md.
  const engine = new Engine({ 'batch.max_age': '5s' });

  // put declares a webhook under an id of our own, at every start: active at once, no test request.
  engine.put('quickstart', { target: url, name: 'quickstart', events: ['injection', 'delivery', 'bounce'] });
  engine.start();

  // push copies the payload and never waits; type, timestamp and event_id are added.
  engine.push('injection', { message_id: '0000d0678854f761a402', rcpt_to: 'a@b.test' });
  engine.push('delivery', '{"message_id":"0000d0678854f761a402","rcpt_to":"a@b.test"}');
  engine.push('bounce', { message_id: '0000d0678854f761a402', rcpt_to: 'a@b.test' });

  // A batch leaves after 10,000 events or batch.max_age; flush sends it now.
  await engine.flush({ timeoutMs: 10000 });
  await engine.close({ timeoutMs: 2000 });

  // Reports tell the fate of every batch: delivered, retrying, dropped.
  for await (const report of engine.reports()) console.log(`${report.kind}: ${report.message}`);
}

if (process.argv.length !== 3) {
  console.error('usage: quickstart.js URL');
  process.exitCode = 2;
} else {
  main(process.argv[2]).catch((error) => {
    console.error(`${error.code}: ${error.message}`);
    process.exitCode = 1;
  });
}
