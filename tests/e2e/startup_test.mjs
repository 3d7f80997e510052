// Starting: what is wrong is said with its place and the remedy, the exit code is 2, and nothing is
// left half started.
import {spawn} from 'node:child_process';
import {chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import net from 'node:net';
import {join} from 'node:path';

import {agentEntry, allowAll, assert, binary, call, policyOf, reeve, run, scenario, until, within} from './lib.mjs';

const jordan = agentEntry('jordan');
const api = {
  api: {http: 'http://127.0.0.1:9'}
};

// Starts what must not start, and checks how it ends.
async function refused(s, {spoil = () => {}, message, ...options}) {
  const wiring =
      await s.configure({policy: policyOf([jordan], allowAll('api')), upstreams: api, ...options});
  const path = join(wiring.folder, 'reeve.yaml');
  await spoil(wiring, path);
  const sidecar = s.launch(wiring);
  const exit = await within(sidecar.ended, 'the end of a sidecar that cannot start');
  assert.deepEqual(exit, {code: 2, signal: null}, sidecar.stderr);
  assert.match(sidecar.stderr, message);
  assert.doesNotMatch(sidecar.stderr, /terminate called|what\(\):|Assertion/);
  return sidecar;
}
const edit = (path, change) => writeFileSync(path, change(readFileSync(path, 'utf8')));

const cases = [
  ['no reeve.yaml', {spoil: (_, path) => rmSync(path), message: /reeve\.yaml.*-c reeve\.yaml/s}],
  [
    'no policy', {
      spoil: ({folder}) => rmSync(join(folder, 'policy.yaml')),
      message: /policy\.yaml.*no such file/s
    }
  ],
  [
    'an unknown key',
    {config: {upstream: {}}, message: /reeve\.yaml:\d+:\d+: error: .*`upstream`.*`upstreams`/}
  ],
  [
    'a fleet without its database',
    {config: {fleet: {}}, message: /reeve\.yaml:\d+:\d+: error: `database` is missing/}
  ],
  [
    'a duplicate key', {
      spoil: (_, path) => edit(path, (text) => text.replace('"policy"', '"state": "x",\n"policy"')),
      message: /reeve\.yaml:\d+:\d+: error: .*`state`/
    }
  ],
  [
    'not YAML', {
      spoil: (_, path) => writeFileSync(path, 'listen: [\n'),
      message: /reeve\.yaml:\d+:\d+: error: /
    }
  ],
  [
    'an unset variable', {
      upstreams: {
        api:
            {http: 'http://127.0.0.1:9', credential: {header: 'X-Key', value: '${REEVE_E2E_UNSET}'}}
      },
      message: /reeve\.yaml:\d+:\d+: error: .*REEVE_E2E_UNSET.* not set; export REEVE_E2E_UNSET/
    }
  ],
  [
    'a file of a secret that is missing', {
      upstreams: {
        api: {
          http: 'http://127.0.0.1:9',
          credential: {header: 'X-Key', value: '${file:missing.key}'}
        }
      },
      message: /reeve\.yaml:\d+:\d+: error: .*missing\.key/
    }
  ],
  [
    'a policy with an error', {
      policy: policyOf([jordan], allowAll('api')).replace('roles: [worker]', 'roles: [boss]'),
      message: /policy\.yaml:\d+:\d+: error: .*`boss`/
    }
  ],
  [
    'a rule on an upstream that is not wired',
    {policy: policyOf([jordan], allowAll('apj')), message: /policy\.yaml:\d+:\d+: error: .*`apj`/}
  ],
  [
    'a key of the language that the sidecar does not act on yet', {
      policy: policyOf(
          [jordan], allowAll('api'),
          'approvers: {leads: {members: [lee@acme.example]}}\n' +
              'guards: {pii: {patterns: email, then: ask, approvers: leads}}\n'),
      message: /policy\.yaml:\d+:\d+: error: `then: ask of a guard` is not yet enforced/
    }
  ],
  [
    'idempotency keys of an MCP server', {
      upstreams: {api: {mcp: 'http://127.0.0.1:9/mcp', idempotency_keys: '1h'}},
      message: /reeve\.yaml:\d+:\d+: error: MCP has no idempotency keys/
    }
  ],
  [
    'idempotency keys for no time', {
      upstreams: {api: {http: 'http://127.0.0.1:9', idempotency_keys: 'true'}},
      message: /reeve\.yaml:\d+:\d+: error: `true` is no duration/
    }
  ],
  [
    'a folder as configuration', {
      spoil: (_, path) => {
        rmSync(path);
        mkdirSync(path);
      },
      message: /reeve\.yaml/
    }
  ],
  [
    'a FIFO as configuration', {
      spoil: async (_, path) => {
        rmSync(path);
        await run('mkfifo', [path]);
      },
      message: /reeve\.yaml/
    }
  ],
  [
    'a file where the state folder should be',
    {spoil: ({folder}) => writeFileSync(join(folder, 'state'), ''), message: /state/}
  ],
];
for (const [name, options] of cases)
  scenario(`${name}: refused with place and remedy`, (s) => refused(s, options));

scenario('a port in use: which one, and by which listener it was wanted', async (s) => {
  for (const which of ['port', 'adminPort']) {
    let taken;
    await refused(s, {
      spoil: async (wiring) => {
        taken = wiring[which];
        const server = net.createServer();
        await new Promise((done) => server.listen(taken, '127.0.0.1', done));
        s.defer(() => server.close());
      },
      message: /in use/,
    }).then((sidecar) => assert.ok(sidecar.stderr.includes(String(taken)), sidecar.stderr));
  }
});

scenario('a state folder that cannot be written', async (s) => {
  const wiring = await s.configure({policy: policyOf([jordan], allowAll('api')), upstreams: api});
  const state = join(wiring.folder, 'state');
  mkdirSync(state);
  chmodSync(state, 0o500);
  // Root writes past permissions; a read-only file system stops root, too.
  if (process.getuid() === 0) {
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'ro,size=64k', 'tmpfs', state]);
    if (mounted.code !== 0)
      return console.error(`skipped, a file system cannot be mounted here: ${mounted.err}`);
    s.defer(() => run('umount', ['-l', state]));
  }
  const sidecar = s.launch(wiring);
  assert.equal((await within(sidecar.ended, 'the end')).code, 2);
  assert.match(sidecar.stderr, /state/);
  assert.match(sidecar.stderr, /[Rr]ead-only|[Pp]ermission|writ/);
});

scenario('a second sidecar on one state folder is refused, and the first goes on', async (s) => {
  const origin = await s.origin();
  const upstreams = {api: {http: origin.url()}};
  const wiring = await s.configure({policy: policyOf([jordan], allowAll('api')), upstreams});
  const first = await s.launch(wiring).ready();
  const other = await s.configure({
    policy: policyOf([jordan], allowAll('api')),
    upstreams,
    config: {state: join(wiring.folder, 'state'), audit: {path: './audit.jsonl'}}
  });
  const second = s.launch(other);
  assert.equal((await within(second.ended, 'the end of the second')).code, 2);
  assert.match(second.stderr, /in use by another reeve/);
  assert.ok(second.stderr.includes(String(first.pid)), 'names the process');
  assert.equal((await first.call('GET', '/api/x', {token: jordan.token})).status, 200);
  await first.kill();
  // The lock ends with its process, however that ended.
  const third = await s.launch(other).ready();
  assert.equal((await third.call('GET', '/api/x', {token: jordan.token})).status, 200);
});

scenario('every error of a policy is reported in one run', async (s) => {
  const folder = s.folder();
  const path = join(folder, 'policy.yaml');
  writeFileSync(
      path,
      policyOf(
          [jordan],
          '    allow:\n      - {upstream: api, tols: x}\n      - {upstream: api, http: "GET a["}\n')
          .replace('roles: [worker]', 'roles: [boss]'));
  const result = await reeve('check', path);
  assert.equal(result.code, 1);
  const places = new Set((result.out + result.err).match(/policy\.yaml:\d+:\d+: error/g));
  assert.ok(places.size >= 3, result.out + result.err);
});

scenario('help, a wrong word, a wrong option', async (s) => {
  for (const args
           of [['--help'], ['serve', '--help'], ['check', '--help'], ['explain', '--help'],
               ['test', '--help']]) {
    const result = await reeve(...args);
    assert.equal(result.code, 0, args.join(' '));
    assert.match(result.out, /reeve/);
  }
  const word = await reeve('serv');
  assert.equal(word.code, 2);
  assert.match(word.err + word.out, /`?serve`?/);
  const option = await reeve('serve', '--confg', 'x');
  assert.equal(option.code, 2);
});

scenario('serve without -c reads reeve.yaml of the working folder', async (s) => {
  const wiring = await s.configure({policy: policyOf([jordan], allowAll('api')), upstreams: api});
  const bad = await run(binary, ['serve'], {cwd: s.folder()});
  assert.equal(bad.code, 2);
  const child = spawn(
      binary, ['serve'],
      {cwd: wiring.folder, env: {...process.env, ...wiring.env}, stdio: 'ignore'});
  const ended = new Promise((done) => child.on('close', done));
  s.defer(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await until(
      async () => (await call(wiring.adminPort, 'GET', '/readyz').catch(() => ({}))).status === 200,
      '/readyz');
  child.kill('SIGTERM');
  assert.equal(await within(ended, 'the end after SIGTERM'), 0);
});
