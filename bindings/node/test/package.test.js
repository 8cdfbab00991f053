// The package as it is installed: its types, its files, and what its library binds to inside Node.
'use strict';

const assert = require('node:assert');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const { temporaryFolder } = require('./support');

const PACKAGE = path.join(__dirname, '..');
const [LINKS, MODULES] = process.env.NODE_PATH.split(':');
const NODE = fs.realpathSync(process.execPath);

test('the types hold for the right use, and refuse each wrong one', (t) => {
  const folder = temporaryFolder(t);
  fs.mkdirSync(path.join(folder, 'node_modules'));
  fs.symlinkSync(fs.realpathSync(path.join(LINKS, 'posthaste')), path.join(folder, 'node_modules', 'posthaste'));
  for (const name of ['@types', 'undici-types'])
    fs.symlinkSync(path.join(MODULES, name), path.join(folder, 'node_modules', name));
  for (const name of ['types.ts', 'tsconfig.json'])
    fs.copyFileSync(path.join(__dirname, name), path.join(folder, name));
  const compiler = path.join(MODULES, 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [compiler, '--noEmit', '--pretty', 'false', '-p', folder], {
    encoding: 'utf8',
  });
  assert.strictEqual(stdout, '');
  assert.strictEqual(status, 0);
});

test('every method of the engine and of the builder stands in the types', () => {
  const types = fs.readFileSync(path.join(PACKAGE, 'lib', 'index.d.ts'), 'utf8');
  const exported = require('posthaste');
  for (const name of Object.keys(exported)) assert.match(types, new RegExp(`\\b${name}\\b`), name);
  for (const made of [exported.Engine, exported.Event]) {
    for (const name of Object.getOwnPropertyNames(made.prototype))
      assert.match(types, new RegExp(`\\b${name}\\b`), name);
  }
});

test('what npm packs loads, with the library that it carries', (t) => {
  const folder = temporaryFolder(t);
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', folder, PACKAGE], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  const names = packed.files.map((file) => file.path).sort();
  assert.ok(names.includes('lib/index.js') && names.includes('lib/index.d.ts') && names.includes('package.json'));
  assert.ok(
    names.every((name) => !name.startsWith('test/')),
    names.join(' '),
  );
  const target = path.join(folder, 'node_modules', 'posthaste');
  fs.mkdirSync(path.join(target, 'native'), { recursive: true });
  execFileSync('tar', ['-xzf', path.join(folder, packed.filename), '-C', target, '--strip-components=1']);
  fs.symlinkSync(process.env.POSTHASTE_LIBRARY, path.join(target, 'native', 'libposthaste.so.0'));
  const environment = { ...process.env, NODE_PATH: MODULES };
  delete environment.POSTHASTE_LIBRARY;
  const source = "import('posthaste').then(({ Engine, version }) => { new Engine(); console.log(version); });";
  assert.match(
    execFileSync(process.execPath, ['-e', source], { cwd: folder, env: environment, encoding: 'utf8' }),
    /^\d+\.\d+\.\d+\n$/,
  );
});

// Which symbols the libraries that come with ours took from the node program, every symbol bound at once.
function boundToNode(folder, source) {
  const log = path.join(folder, 'bindings');
  execFileSync(process.execPath, ['-e', source], {
    env: { ...process.env, LD_BIND_NOW: '1', LD_DEBUG: 'bindings', LD_DEBUG_OUTPUT: log },
  });
  const found = { ours: 0, symbols: [] };
  for (const name of fs.readdirSync(folder).filter((file) => file.startsWith('bindings.'))) {
    for (const line of fs.readFileSync(path.join(folder, name), 'utf8').split('\n')) {
      const match = /binding file (\S+) \[0\] to (\S+) \[0\]: \w+ symbol `(\w+)'/.exec(line);
      if (!match) continue;
      if (path.basename(match[1]).startsWith('libposthaste')) found.ours++;
      if (!match[1].endsWith('node') && match[2].startsWith('/') && fs.realpathSync(match[2]) === NODE)
        found.symbols.push(match[3]);
    }
  }
  return found;
}

const isOpenSsl = (symbol) =>
  /^(SSL|TLS|EVP|CRYPTO|X509|BIO|BN|RSA|EC|ERR|OPENSSL|PEM|ASN1|HMAC|RAND|OCSP|OSSL|PKCS\d+|d2i|i2d|DH|MD5|SHA\d+)_/.test(
    symbol,
  );

test('nothing of the library binds to the OpenSSL inside Node', (t) => {
  const found = boundToNode(
    temporaryFolder(t),
    "const { Engine } = require('posthaste'); new Engine().start().close();",
  );
  assert.ok(found.ours > 50, 'the bindings of the library were not seen');
  assert.deepStrictEqual(found.symbols.filter(isOpenSsl), []);
});

test('loaded without deep it would, which is what the test above finds', (t) => {
  const found = boundToNode(temporaryFolder(t), "require('koffi').load(process.env.POSTHASTE_LIBRARY);");
  assert.ok(found.symbols.filter(isOpenSsl).length > 100, String(found.symbols.length));
});
