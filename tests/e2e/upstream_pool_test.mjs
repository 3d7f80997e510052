// What a call may have to wait for at its upstream: a place, a name, a connection, the next piece
// of an answer. What ends the wait, what is left of it, and connections that close while they are
// used again.
import {closeSync, constants, openSync, writeSync} from 'node:fs';
import http from 'node:http';

import {agentEntry, allowAll, assert, call, long, policyOf, scenario, until, within} from './lib.mjs';
import {budget, canFakeNames, deafAt, leaver, Names, okAnswer, rawServerAt, serverAt, shown, start} from './upstreams.mjs';

// A server that answers when it is told to, or begins to.
async function holding(s, begins = () => {}) {
  const held = [];
  const server = await serverAt(s, '127.0.0.2', 0, (request, response) => {
    begins(response);
    held.push({url: request.url, answer: () => response.end('ok')});
  });
  return {...server, held};
}

scenario('places are bounded, waited for in order, and refused when too many wait', async (s) => {
  const server = await holding(s);
  const {sidecar, get} = await start(s, {http: server.url(), connections: 2});
  const calls = [];
  for (const name of ['a', 'b', 'c', 'd']) {
    calls.push(get(`/api/${name}`));
    await until(
        () => sidecar.audit({kind: 'decision', target: `/${name}`}).length === 1, `call ${name}`);
  }
  await until(async () => (await shown(sidecar)).waiting === 2, 'two that wait');
  const busy = await get('/api/e');
  assert.deepEqual(
      [busy.status, busy.headers['retry-after'], busy.json.title, busy.json.decision],
      [503, '1', 'Upstream busy', 'allow']);
  assert.deepEqual(server.held.map(({url}) => url), ['/a', '/b']);
  const {in_use: inUse, addresses} = await shown(sidecar);
  assert.deepEqual([inUse, addresses[0].open], [2, 2]);
  for (let i = 0; i < 4; ++i) {
    await until(() => server.held.length > i, `call ${i} at the server`);
    server.held[i].answer();
    assert.equal((await calls[i]).status, 200);
  }
  assert.deepEqual(server.held.map(({url}) => url), ['/a', '/b', '/c', '/d']);
  const [{outcome}] = await sidecar.records({target: '/e'});
  assert.deepEqual([outcome.status, outcome.error, outcome.cost], [503, 'busy', 0]);
  assert.equal(
      await sidecar.metric('reeve_upstream_errors_total', {upstream: 'api', kind: 'busy'}), 1);
  const spent = await budget(sidecar);
  assert.deepEqual([Math.round(spent.used * 10), spent.reserved], [4, 0]);
  await until(async () => {
    const now = await shown(sidecar);
    return now.in_use === 0 && now.waiting === 0 && now.addresses[0].open === 2;
  }, 'nothing in use, two kept');
});

// Its answer has begun, so it has no deadline that would give its place away.
const events = (response) => {
  response.writeHead(200, {'Content-Type': 'text/event-stream'});
  response.write(': begins\n\n');
};

scenario('the wait for a place is part of `timeout`', async (s) => {
  const server = await holding(s, events);
  const {sidecar, get, post} =
      await start(s, {http: server.url(), connections: 1, timeout: '2s', idle_connections: 0});
  const first = get('/api/first');
  await until(() => server.held.length === 1, 'the first call');
  const second = await post('/api/second');
  assert.deepEqual([second.status, second.headers['retry-after']], [503, '1']);
  assert.equal(server.seen.length, 1, 'what waited in vain was not sent');
  const [{outcome}] = await sidecar.records({target: '/second'});
  assert.deepEqual([outcome.error, outcome.cost, outcome.tries], ['busy', 0, undefined]);
  server.held[0].answer();
  assert.equal((await first).status, 200);
  // The place is free again, and no connection was kept.
  const third = get('/api/third');
  await until(() => server.held.length === 2, 'the third call');
  server.held[1].answer();
  assert.equal((await third).status, 200);
  await until(async () => (await shown(sidecar)).addresses[0].open === 0, 'nothing open');
});

scenario('MCP: a server that is busy says so in JSON-RPC', async (s) => {
  const jordan = agentEntry('jordan');
  const server = await holding(s, events);
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allowAll('api')),
    upstreams: {api: {mcp: server.url('/mcp'), connections: 1, timeout: '2s'}},
    config: {threads: 1}
  });
  const {token} = jordan;
  const ask = (id) => sidecar.rpc('/api', {jsonrpc: '2.0', id, method: 'tools/list'}, {token});
  const first = ask(1);
  await until(() => server.held.length === 1, 'the first call');
  const {status, json, headers} = await ask(2);
  assert.deepEqual(
      [status, json.id, json.error.code, headers['retry-after']], [503, 2, -32603, '1']);
  server.held[0].answer();
  assert.equal((await first).status, 200);
});

// Each of these is left by its agent while it waits; the next call must find nothing in its way.
async function leaves(s, {sidecar, token}, waits, reserved = 0) {
  const path = '/api/leaves';
  const agent = await leaver(s, sidecar, token, path);
  await waits(agent);
  agent.leave();
  const [{outcome}] = await sidecar.records({target: '/leaves'});
  assert.deepEqual([outcome.error, outcome.status, outcome.cost], ['agent-gone', 0, 0]);
  assert.equal((await budget(sidecar)).reserved, reserved, 'what others hold');
  await until(async () => {
    const now = await shown(sidecar);
    return now.waiting === 0 && now.in_use <= 1;
  }, 'nothing is left of it');
}

scenario('an agent that hangs up while it waits for a place frees it at once', async (s) => {
  const server = await holding(s);
  const api = await start(s, {http: server.url(), connections: 1});
  const first = api.get('/api/first');
  await until(() => server.held.length === 1, 'the first call');
  await leaves(s, api, async () => {
    await until(async () => (await shown(api.sidecar)).waiting === 1, 'it waits');
  }, 0.1);
  const next = api.get('/api/next');
  await until(async () => (await shown(api.sidecar)).waiting === 1, 'the next waits');
  server.held[0].answer();
  assert.equal((await first).status, 200);
  await until(() => server.held.length === 2, 'the next call');
  assert.equal(server.held[1].url, '/next');
  server.held[1].answer();
  assert.equal((await next).status, 200);
});

scenario('an agent that hangs up while the upstream does not accept', async (s) => {
  const deaf = await deafAt(s, '127.0.0.2');
  const api = await start(s, {http: deaf.url(), connect_timeout: '60s', connections: 1});
  await leaves(s, api, async () => {
    await until(async () => (await shown(api.sidecar)).in_use === 1, 'it connects');
  });
  await until(async () => (await shown(api.sidecar)).in_use === 0, 'its place is free');
  const {addresses} = await shown(api.sidecar);
  assert.deepEqual(
      [addresses[0].state, addresses[0].open], ['up', 0], 'it tells nothing of the address');
});

scenario('an agent that hangs up while a name is looked up', async (s) => {
  // Whoever reads this file of names waits until it is written.
  const names = new Names(s, {fifo: true});
  const server = await serverAt(s, '127.0.0.2');
  const api = await start(s, {http: `http://crm.test:${server.port}`}, {under: names.under});
  await leaves(s, api, async () => {
    await until(async () => (await shown(api.sidecar)).in_use === 1, 'it looks up');
  });
  assert.equal(server.seen.length, 0);
  // Others wait for the same look-up, and its end is theirs.
  const others = [api.get('/api/one'), api.get('/api/two')];
  await until(async () => (await shown(api.sidecar)).in_use === 2, 'they wait');
  const writer = setInterval(() => {
    try {  // a file of names that cannot be read twice: an answer, though no good one
      closeSync(openSync(names.path, constants.O_WRONLY | constants.O_NONBLOCK));
    } catch { /* nobody reads just now */
    }
  }, 5);
  s.defer(() => clearInterval(writer));
  for (const other of others) assert.equal((await other).status, 502);
  await api.sidecar.stop();
}, {skip: !canFakeNames});

scenario('an answer may pause, but not for longer than `answer_idle`', async (s) => {
  const server = await serverAt(s, '127.0.0.2', 0, (request, response) => {
    const events = request.url === '/events';
    response.writeHead(200, {'Content-Type': events ? 'text/event-stream' : 'text/plain'});
    if (request.url === '/large') return response.end(Buffer.alloc(20 * 1024 * 1024, 'x'));
    if (request.url !== '/stalls' && !events) {
      let pieces = 0;
      const timer = setInterval(() => {
        response.write('piece');
        if (++pieces < 6) return;
        clearInterval(timer);
        response.end();
      }, 250);
      return;
    }
    response.write('data: first\n\n');
    if (events) setTimeout(() => response.end('data: last\n\n'), 1500);
  });
  const {sidecar, token, get} = await start(s, {http: server.url(), answer_idle: '1s'});
  const failed = await get('/api/stalls').then(() => null, (error) => error);
  assert.equal(failed?.code, 'ECONNRESET', 'it does not look whole');
  const [{outcome}] = await sidecar.records({target: '/stalls'});
  assert.deepEqual(
      [outcome.status, outcome.error, outcome.bytes_out, outcome.cost], [200, 'timeout', 13, 0.1]);
  assert.equal((await get('/api/slow')).body, 'piece'.repeat(6), 'longer than that in all');
  assert.equal((await get('/api/events')).body, 'data: first\n\ndata: last\n\n');
  // An agent that does not read for longer is its own affair.
  const large = await call(sidecar.port, 'GET', '/api/large', {token, stream: true});
  large.response.pause();
  const before = Date.now();
  await until(() => Date.now() - before > 1500, 'a pause of the agent');
  let bytes = 0;
  large.response.on('data', (data) => bytes += data.length);
  large.response.resume();
  await within(new Promise((done) => large.response.on('end', done)), 'the end of the answer');
  assert.equal(bytes, 20 * 1024 * 1024);
});

scenario('connections that close just when they are used again', async (s) => {
  // Each connection ends after its first answer in one of these ways: with the second call, before
  // it, or some moment around it. Every other call is a POST.
  const ways = [
    (socket) => socket.once('data', () => socket.destroy()),
    (socket) => socket.once('data', () => socket.resetAndDestroy()),
    (socket) => socket.destroy(),
    (socket) => setImmediate(() => socket.destroy()),
    (socket) => setImmediate(() => socket.resetAndDestroy()),
    (socket) => setTimeout(() => socket.destroy(), 1),
    (socket) => setTimeout(() => socket.end(), 1),
    (socket) => setTimeout(() => socket.resetAndDestroy(), 2),
  ];
  let turn = 0;
  const server = await rawServerAt(s, '127.0.0.2', (socket, {nth}) => {
    if (nth > 1) return;
    socket.write(okAnswer);
    ways[turn++ % ways.length](socket);
  });
  const {sidecar, token} = await start(s, {http: server.url()});
  const agent = new http.Agent({keepAlive: true, maxSockets: 1});
  s.defer(() => agent.destroy());
  const calls = long ? 20_000 : 1_000;
  const answers = {GET: [], POST: []};
  for (let i = 0; i < calls; ++i) {
    for (const method of ['GET', 'POST']) {
      const body = method === 'POST' ? 'x'.repeat(i % 2) : undefined;
      const {status} = await call(sidecar.port, method, `/api/${i}`, {token, agent, body});
      answers[method].push(status);
    }
  }
  assert.equal(answers.GET.filter((status) => status !== 200).length, 0, 'no GET is lost');
  const posts = server.heads.map(({line}) => line).filter((line) => line.startsWith('POST'));
  assert.equal(new Set(posts).size, posts.length, 'no POST comes twice');
  const good = answers.POST.filter((status) => status === 200).length;
  assert.ok(answers.POST.every((status) => status === 200 || status === 502));
  assert.ok(good > calls / 10 && posts.length >= good, `${good} POSTs answered`);
  // What was paid for is what was sent, and each call once.
  const records = await sidecar.records({}, 2 * calls);
  for (const {outcome} of records) assert.ok(outcome.status === 200 || outcome.error === 'closed');
  const paid = records.filter(({outcome}) => outcome.cost === 0.1).length;
  assert.equal(Math.round((await budget(sidecar)).used * 10), paid);
  assert.ok(paid >= calls + posts.length, `${paid} paid`);
});
