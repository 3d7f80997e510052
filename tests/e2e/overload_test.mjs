// More than the sidecar can hold: who finds no room is told so, whoever holds connections open
// locks nobody out, the admin side answers throughout, and when it is over everything is as before.
import {spawn} from 'node:child_process';
import {readdirSync} from 'node:fs';
import net from 'node:net';

import {agentEntry, allowAll, assert, call, policyOf, sanitized, scenario, until, within} from './lib.mjs';

async function start(s, {config = {}, handler, fds} = {}) {
  const jordan = agentEntry('jordan');
  const origin = await s.origin(handler);
  const wiring = await s.configure({
    policy: policyOf([jordan], allowAll('api')),
    upstreams: {api: {http: origin.url()}},
    config
  });
  const sidecar = await s.launch({...wiring, fds}).ready();
  return {sidecar, origin, token: jordan.token};
}

// A connection that is kept open, and what came over it.
function hold(s, port, bytes = '') {
  const held = {text: '', closed: false};
  held.socket = net.connect({port, host: '127.0.0.1', noDelay: true});
  held.socket.on('connect', () => {
    held.connected = true;
    if (bytes) held.socket.write(bytes);
  });
  held.socket.on('data', (data) => {
    held.text += data;
  });
  held.socket.on('error', () => {});
  held.socket.on('close', () => {
    held.closed = true;
  });
  s.defer(() => held.socket.destroy());
  return held;
}
const get = (token, path = '/api/x', more = '') =>
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`;
const streams = (handler) => Object.assign(handler, {streams: true});
// Answers when told to.
function gate() {
  const waiting = [];
  let open = false;
  const answer = (response) => response.end('ok');
  return {
    waiting,
    handler: streams((request, response) => {
      if (open || !request.url.includes('wait')) return answer(response);
      waiting.push(response);
    }),
    open: () => {
      open = true;
      for (const response of waiting) answer(response);
    }
  };
}
const fdsOf = (pid) => readdirSync(`/proc/${pid}/fd`).length;
const admin = async (sidecar) => {
  for (const path of ['/livez', '/readyz', '/metrics'])
    assert.equal((await call(sidecar.adminPort, 'GET', path)).status, 200, path);
  const agents = await call(sidecar.adminPort, 'GET', '/v1/agents', {token: sidecar.adminToken});
  assert.equal(agents.json.agents[0].agent, 'jordan');
};

scenario('beyond limits.connections: 503 with Retry-After, and the calls go on', async (s) => {
  const door = gate();
  const {sidecar, token} = await start(s, {
    config: {threads: 1, limits: {connections: 8, agent_calls: 8, drain: '2s'}},
    handler: door.handler
  });
  const busy = Array.from({length: 8}, () => hold(s, sidecar.port, get(token, '/api/wait')));
  await until(() => door.waiting.length === 8, '8 calls at the upstream');
  for (let i = 0; i < 20; ++i) {
    const answer = await call(sidecar.port, 'GET', '/api/x', {token});
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers['retry-after']) >= 1);
    assert.equal(answer.headers.connection, 'close');
    assert.equal(answer.headers['content-type'], 'application/problem+json');
    assert.equal(answer.json.status, 503);
    assert.match(answer.json.detail, /connections/);
  }
  // Those that only connect are told, too, and so are those that send a large body.
  const silent = hold(s, sidecar.port);
  await until(() => silent.closed || silent.text.includes('503'), 'an answer before any request');
  const upload = hold(
      s, sidecar.port,
      `POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n${'x'.repeat(60_000)}`);
  await until(() => upload.text.includes('"status":503'), 'an answer to an upload');
  await admin(sidecar);
  assert.equal(await sidecar.metric('reeve_connections'), 8);
  door.open();
  await until(() => busy.every(({text}) => text.startsWith('HTTP/1.1 200 ')), '8 answers');
  for (const {socket} of busy) socket.destroy();
  await until(
      async () => (await call(sidecar.port, 'GET', '/api/x', {token})).status === 200,
      'room for the next');
  await until(() => /connections were turned away/.test(sidecar.stderr), 'a line in the log');
});

scenario('whoever holds connections open and idle makes room', async (s) => {
  const {sidecar, token} =
      await start(s, {config: {threads: 1, limits: {connections: 8, drain: '2s', idle: '10m'}}});
  // Half of them have never said anything, half have had an answer and could call again.
  const idle = Array.from({length: 8}, (_, i) => hold(s, sidecar.port, i % 2 ? get(token) : ''));
  await until(
      async () => await sidecar.metric('reeve_connections') === 8 &&
          idle.filter(({text}) => text.includes('200')).length === 4,
      'all of them');
  // Within the first second an idle connection is left in peace.
  await until(
      async () => (await call(sidecar.port, 'GET', '/api/x', {token})).status === 200,
      'room for another');
  await until(() => idle.some(({closed}) => closed), 'the end of one');
  assert.ok(await sidecar.metric('reeve_connections') <= 8);
});

// G9.
scenario('128 file descriptors and 500 connections', async (s) => {
  const door = gate();
  const {sidecar, token, origin} = await start(
      s, {config: {threads: 1, limits: {agent_calls: 39}}, handler: door.handler, fds: 128});
  assert.match(sidecar.stderr, /leaves room for 39 connections/);
  assert.equal((await call(sidecar.port, 'GET', '/api/x', {token})).status, 200);
  await until(async () => await sidecar.metric('reeve_connections') === 0, 'quiet');
  const before = fdsOf(sidecar.pid);

  const crowd = Array.from({length: 500}, () => hold(s, sidecar.port, get(token, '/api/wait')));
  await until(
      () => door.waiting.length >= 39, 'as many calls at the upstream as there is room for');
  await until(
      () => crowd.filter(({closed, text}) => closed || text.includes('503')).length >= 500 - 39,
      'an end of those without room');
  assert.equal(door.waiting.length, 39);
  const told = crowd.filter(({text}) => /^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/.test(text));
  console.log(`# ${told.length} of ${500 - 39} without room have read their 503`);
  assert.ok(told.length >= 0.9 * (500 - 39), `${told.length} were told`);
  await admin(sidecar);
  assert.ok(fdsOf(sidecar.pid) < 128);
  assert.equal(sidecar.exit, undefined);

  door.open();
  await until(
      () => crowd.filter(({text}) => text.startsWith('HTTP/1.1 200 ')).length === 39,
      'the answers of those with room');
  for (const {socket} of crowd) socket.destroy();
  await until(
      async () => (await call(sidecar.port, 'GET', '/api/x', {token})).status === 200, 'recovery');
  await until(async () => await sidecar.metric('reeve_connections') === 0, 'quiet');
  assert.equal(origin.requests.filter(({url}) => url === '/wait').length, 39);
  // What is left over are the connections to the upstream, kept for the next calls.
  await until(() => fdsOf(sidecar.pid) <= before + 39, 'the descriptors of the agents\' side');
}, {skip: sanitized});

scenario('500 silent connections on 128 file descriptors lock nobody out', async (s) => {
  const {sidecar, token} =
      await start(s, {config: {threads: 1, limits: {idle: '10m', drain: '2s'}}, fds: 128});
  const crowd = Array.from({length: 500}, () => hold(s, sidecar.port));
  await until(() => crowd.every(({connected, closed}) => connected || closed), 'the crowd');
  for (let i = 0; i < 20; ++i) {
    await until(
        async () =>
            (await call(sidecar.port, 'GET', '/api/x', {token}).catch(() => ({}))).status === 200,
        `call ${i} to be served`);
  }
  await admin(sidecar);
}, {skip: sanitized});

scenario('a storm of connections leaves calls in progress their turn', async (s) => {
  const {sidecar, token} =
      await start(s, {config: {threads: 1, limits: {connections: 16, drain: '2s'}}});
  const socket = net.connect({port: sidecar.port, host: '127.0.0.1', noDelay: true});
  s.defer(() => socket.destroy());
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  let storming = true;
  let knocked = 0;
  const storm = Array.from({length: 64}, async () => {
    while (storming) {
      await new Promise((done) => {
        const knock = net.connect(sidecar.port, '127.0.0.1', () => {
          ++knocked;
          knock.resetAndDestroy();
        });
        knock.on('error', () => {});
        knock.on('close', done);
      });
    }
  });
  await until(() => knocked > 500, 'a storm');
  for (let i = 1; i <= 200; ++i) {
    socket.write(get(token));
    await until(() => text.split('HTTP/1.1 200 ').length === i + 1, `answer ${i}`);
  }
  storming = false;
  await within(Promise.all(storm), 'the end of the storm');
  console.log(`# ${knocked} connections during 200 calls`);
  assert.equal(sidecar.exit, undefined);
});

scenario('one agent cannot take every connection', async (s) => {
  const door = gate();
  const [jordan, casey] = [agentEntry('jordan'), agentEntry('casey')];
  const origin = await s.origin(door.handler);
  for (const [limits, share] of [[{}, 6], [{agent_calls: 2}, 2]]) {
    const sidecar = await s.sidecar({
      policy: policyOf([jordan, casey], allowAll('api')),
      upstreams: {api: {http: origin.url()}},
      config: {threads: 2, limits: {connections: 8, drain: '2s', ...limits}}
    });
    door.waiting.length = 0;
    const busy =
        Array.from({length: share}, () => hold(s, sidecar.port, get(jordan.token, '/api/wait')));
    await until(() => door.waiting.length === share, `${share} calls at the upstream`);
    const refused = await sidecar.call('GET', '/api/x', {token: jordan.token});
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers['retry-after']) >= 1);
    assert.match(refused.json.detail, /limits\.agent_calls/);
    const [{decision, outcome}] = await sidecar.records({reason: 'limit'});
    assert.deepEqual([decision.decision, decision.agent, outcome.status], ['deny', 'jordan', 429]);
    assert.equal((await sidecar.call('GET', '/api/x', {token: casey.token})).status, 200);
    // A new policy forgets nothing.
    sidecar.signal('SIGHUP');
    await until(
        async () => await sidecar.metric('reeve_policy_reloads_total', {result: 'ok'}) === 1,
        'a reload');
    assert.equal((await sidecar.call('GET', '/api/x', {token: jordan.token})).status, 429);
    for (const response of door.waiting) response.end('ok');
    await until(() => busy.every(({text}) => text.startsWith('HTTP/1.1 200 ')), 'the answers');
    await until(
        async () => (await sidecar.call('GET', '/api/x', {token: jordan.token})).status === 200,
        'an end of the limit');
  }
});
