// Whatever stands where a policy should: it is refused with its place, the one in force stays, and
// no call notices. Policies cut short anywhere, each kind of mistake, and files made to exhaust
// whoever reads them.
import {execFileSync} from 'node:child_process';
import {mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {hostile, megabytes} from './hostile_policies.mjs';
import {assert, binary, long, root, run, sanitized, scenario, until} from './lib.mjs';
import {client, hashInForce, inForce, oneFile} from './versions.mjs';

// A sidecar with version A in force and clients at work; `refuse(put, what)` lets `put` place
// something as policy.yaml and waits until it is refused; `end` checks that nobody noticed.
async function start(s) {
  const origin = await s.origin();
  const sidecar = await s.sidecar({policy: oneFile('A'), upstreams: {api: {http: origin.url()}}});
  const path = join(sidecar.folder, 'policy.yaml');
  const hash = await hashInForce(sidecar);
  const seen = new Map();
  const clients = Array.from({length: 2}, () => client(sidecar, seen));
  const failures = () => sidecar.metric('reeve_policy_reloads_total', {result: 'error'});
  const refuse = async (put, what) => {
    const before = await failures();
    put(path);
    sidecar.signal('SIGHUP');
    await until(async () => (await failures()) > before, `the refusal of ${what}`);
    assert.equal(await hashInForce(sidecar), hash, what);
  };
  const end = async () => {
    await Promise.all(clients.map((stop) => stop()));
    assert.deepEqual([...seen.keys()], ['A']);
    assert.equal(await sidecar.metric('reeve_policy_reloads_total', {result: 'ok'}), 0);
    const failed = await failures();
    const lines = sidecar.audit({kind: 'policy'});
    assert.ok(lines.length >= failed);
    for (const line of lines) {
      assert.equal(line.policy, hash);
      assert.match(line.error, /policy\.yaml.*: error: /);
    }
    return seen.get('A');
  };
  return {sidecar, path, refuse, end};
}

// Whole in one step, so that nothing but the text itself is offered.
const text = (content) => (path) => {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
};

scenario('no beginning of a policy that ends in `...` is taken', async (s) => {
  const {sidecar, path, refuse, end} = await start(s);
  const whole = oneFile('B');
  const last = whole.length - 1;  // without its line end it is still the same policy
  for (let size = 0; size < last; size += long || size > last - 12 ? 1 : 9)
    await refuse(text(whole.slice(0, size)), `the first ${size} bytes`);
  assert.ok(await end() > 100);
  text(whole.slice(0, last))(path);
  sidecar.signal('SIGHUP');
  await inForce(sidecar, 'B');
});

scenario('each mistake leaves the policy in force and is said with its place', async (s) => {
  const {sidecar, path, refuse, end} = await start(s);
  const folder = join(root, 'tests/data/policies/bad');
  const names = readdirSync(folder);
  assert.ok(names.length >= 200);
  // The last stage is not reached where upstreams are known and these are not among them.
  const reached = names.filter((name) => name !== 'too_many_budgets.yaml');
  for (const name of reached.filter((_, i) => long || i % 5 === 0)) {
    const bytes = readFileSync(join(folder, name));  // some are not UTF-8
    const policy = bytes.toString();
    const said = sidecar.stderr.length;
    await refuse(text(bytes), name);
    // Also where the same file has other errors here, because upstreams are known.
    for (const [, message] of policy.matchAll(/^# expect: (.*)$/gm))
      await until(
          () => sidecar.stderr.slice(said).includes(message.replace(name, path)),
          `${name}: ${message}`);
  }
  assert.ok(await end() > 50);
});

// What is no file with a policy in it.
const instead = (put) => (path) => {
  rmSync(path, {force: true, recursive: true});
  put(path);
};
const others = [
  ['a folder without a policy', instead((path) => mkdirSync(path)), /a folder without a policy/],
  ['a link to itself', instead((path) => symlinkSync('policy.yaml', path)), /a loop of links/],
  ['a link to nothing', instead((path) => symlinkSync('nowhere', path)), /there is no such file/],
  [
    'a pipe that nobody writes to', instead((path) => execFileSync('mkfifo', [path])),
    /no regular file/
  ],
  ['an endless device', instead((path) => symlinkSync('/dev/zero', path)), /no regular file/],
  ['nothing at all', instead(() => {}), /there is no such file/],
];

scenario('a hostile file ends in a located error, at a bounded cost', async (s) => {
  const path = join(s.folder(), 'policy.yaml');
  assert.ok(hostile.length >= 60);
  for (const [name, content, message] of hostile) {
    writeFileSync(path, content);
    // Seconds of work, and kilobytes: who exceeds them is killed.
    const limits = sanitized ? 'ulimit -t 600' : 'ulimit -t 60; ulimit -v 2000000';
    const {code, signal, out} =
        await run('bash', ['-c', `${limits}; exec "$0" check "$1"`, binary, path]);
    const [first] = out.split('\n');
    assert.deepEqual({code, signal}, {code: 1, signal: null}, `${name}: ${first}`);
    assert.match(first, message, name);
    // What is wrong with a file as a whole has no line.
    const whole = /: (empty policy|larger than)/.test(first);
    assert.match(first, whole ? /policy\.yaml: error: / : /policy\.yaml:\d+:\d+: error: /, name);
  }
}, {timeout: 840_000});

scenario('a hostile file leaves the policy in force', async (s) => {
  const {sidecar, refuse, end} = await start(s);
  const offer = async (name, put, message) => {
    const said = sidecar.stderr.length;
    await refuse(put, name);
    await until(() => message.test(sidecar.stderr.slice(said)), `${name}: ${message}`);
  };
  for (const [name, put, message] of others) await offer(name, put, message);
  for (const [name, content, message] of hostile) {
    // While a file is read nothing else is, but calls go on.
    if (long || content.length < megabytes(1)) await offer(name, text(content), message);
  }
  assert.ok(await end() > 100);
}, {timeout: 840_000});
