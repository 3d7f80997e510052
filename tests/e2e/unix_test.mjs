// Unix sockets on both sides: who may connect, who is proven by it, and what becomes of the file.
import {chmodSync, existsSync, mkdirSync, statSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import {join} from 'node:path';

import {agentEntry, allowAll, assert, ok, policyOf, run, scenario, until, within} from './lib.mjs';

const asRoot = process.getuid() === 0;
const otherUid = 65_534;

const curl = (socket, path, ...args) => run(
    'curl',
    ['-sS', '-w', '\n%{http_code}', '--unix-socket', socket, `http://localhost${path}`, ...args]);
// As another user, who is of the socket's group.
const curlAs = (uid, gid, socket, path) => run('setpriv', [
  `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', 'curl', '-sS', '-w', '\n%{http_code}',
  '--unix-socket', socket, `http://localhost${path}`
]);

async function configure(
    s, {agents, upstreams, more = {}, path = 'agents.sock', folder = s.folder()}) {
  chmodSync(folder, 0o755);
  const wiring = await s.configure({
    folder,
    policy: policyOf(agents, allowAll('api')),
    upstreams,
    listen: (port) =>
        [{name: 'local', address: `127.0.0.1:${port}`}, {name: 'unix', address: `unix:${path}`}],
    ...more
  });
  return {...wiring, socket: join(folder, path)};
}

scenario('the user at the other end is who the kernel says it is', async (s) => {
  const origin = await s.origin();
  const own = agentEntry('jordan', {identity: `unix_uid: ${process.getuid()}`});
  const robin = agentEntry('robin');
  const wiring = await configure(
      s,
      {agents: [own, robin], upstreams: {api: {http: origin.url()}}, more: {config: {threads: 3}}});
  const sidecar = await s.launch(wiring).ready();
  const {socket} = wiring;
  assert.equal(statSync(socket).mode & 0o7777, 0o660);
  assert.ok(statSync(socket).isSocket());
  for (let i = 0; i < 12; ++i) {
    const answer = await curl(socket, '/api/x');
    assert.match(answer.out, /\n200$/, answer.out + answer.err);
  }
  assert.match(
      (await curl(socket, '/api/x', '-H', `Authorization: Bearer ${robin.token}`)).out, /\n401$/,
      'two agents');
  assert.equal((await sidecar.call('GET', '/api/x')).status, 401, 'TCP proves no user');
  const [{decision}] = await sidecar.records({agent: 'jordan'}, 12);
  assert.equal(decision.listener, 'unix');
  if (asRoot) {
    const group = statSync(socket).gid;
    const stranger = await curlAs(otherUid, group, socket, '/api/x');
    assert.match(
        stranger.out, /\n401$/, `a user that is no agent's: ${stranger.out}${stranger.err}`);
    const outsider = await curlAs(otherUid, otherUid, socket, '/api/x');
    assert.notEqual(outsider.code, 0, 'a user that is not of the group');
    assert.match(outsider.out, /\n000$/);
  }
  assert.equal(origin.requests.length, 12);
  await sidecar.stop();
  assert.ok(!existsSync(socket), 'unlinked at the end');
});

scenario('an agent of another user is itself', async (s) => {
  const origin = await s.origin();
  const wiring = await configure(s, {
    agents: [agentEntry('jordan', {identity: `unix_uid: ${otherUid}`})],
    upstreams: {api: {http: origin.url()}}
  });
  await s.launch(wiring).ready();
  const {gid} = statSync(wiring.socket);
  assert.match((await curlAs(otherUid, gid, wiring.socket, '/api/x')).out, /\n200$/);
  assert.match((await curl(wiring.socket, '/api/x')).out, /\n401$/, 'not root either');
}, {skip: !asRoot && 'needs root'});

scenario('the socket of a dead sidecar is replaced, of a living one never', async (s) => {
  const own = agentEntry('jordan', {identity: `unix_uid: ${process.getuid()}`});
  const origin = await s.origin();
  const options = {agents: [own], upstreams: {api: {http: origin.url()}}};
  const first = await configure(s, options);
  const dead = await s.launch(first).ready();
  await dead.kill();
  assert.ok(existsSync(first.socket), 'left behind by SIGKILL');
  const alive = await s.launch(first).ready();
  assert.match((await curl(first.socket, '/api/x')).out, /\n200$/);

  const second = await configure(s, {...options, path: first.socket});
  const late = s.launch(second);
  const exit = await within(late.ended, 'the end of the second');
  assert.equal(exit.code, 2);
  assert.match(
      late.stderr,
      /reeve\.yaml:\d+:\d+: error: .*`unix`.*another process serves this socket; stop it/);
  assert.match((await curl(first.socket, '/api/x')).out, /\n200$/, 'the first serves on');
  await alive.stop();
});

scenario('a place that is not fit for a socket is refused', async (s) => {
  const own = agentEntry('jordan', {identity: `unix_uid: ${process.getuid()}`});
  const refused = async (path, spoil, message) => {
    const wiring =
        await configure(s, {agents: [own], upstreams: {api: {http: 'http://127.0.0.1:9'}}, path});
    spoil(wiring.folder);
    const sidecar = s.launch(wiring);
    const exit = await within(sidecar.ended, `the end with ${path}`);
    assert.equal(exit.code, 2, sidecar.stderr);
    assert.match(sidecar.stderr, message);
  };
  await refused('open/a.sock', (folder) => {
    mkdirSync(join(folder, 'open'));
    chmodSync(join(folder, 'open'), 0o777);
  }, /anybody may replace what is in .*chmod o-w/);
  await refused(
      'file', (folder) => writeFileSync(join(folder, 'file'), 'x'),
      /something else at this path; remove it/);
  await refused('none/a.sock', () => {}, /none.*No such file.*make the folder/);
  await refused('x'.repeat(200), () => {}, /longer than 107 bytes; choose a shorter one/);
});

scenario('an upstream behind a Unix socket', async (s) => {
  const folder = s.folder();
  const path = join(folder, 'app.sock');
  const seen = [];
  const server = http.createServer((request, response) => {
    seen.push({url: request.url, host: request.headers.host});
    ok(request, response);
  });
  await new Promise((done) => server.listen(path, done));
  s.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  let connections = 0;
  server.on('connection', () => ++connections);
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    folder,
    policy: policyOf([jordan], `    allow:\n      - {upstream: [api, other]}\n`),
    upstreams: {
      api: {http: `http://unix:app.sock:/base`},
      other: {http: `http://unix:${path}`, host: 'app.internal:80'}
    }
  });
  for (let i = 0; i < 3; ++i) {
    const answer = await sidecar.call('GET', '/api/x?y=1', {token: jordan.token});
    assert.equal(answer.status, 200);
  }
  assert.equal((await sidecar.call('GET', '/other/z', {token: jordan.token})).status, 200);
  assert.deepEqual(seen, [
    ...Array(3).fill({url: '/base/x?y=1', host: 'localhost'}), {url: '/z', host: 'app.internal:80'}
  ]);
  if (!process.env.REEVE_SANITIZE) assert.equal(connections, 2, 'kept and used again');
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  const answer = await sidecar.call('GET', '/api/x', {token: jordan.token});
  assert.equal(answer.status, 502);
  await until(() => sidecar.stderr.includes('app.sock'), 'the path in the log');
});
