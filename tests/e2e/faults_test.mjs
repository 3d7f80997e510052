// What goes wrong at the edges of one call: an upstream that stops reading, breaks off, refuses
// early or labels its answer oddly; a message with two readings; callers that only mean harm. Each
// scenario looks at both ends: what reached the upstream, and what the record says.
import {once} from 'node:events';
import http from 'node:http';
import net from 'node:net';

import {agentEntry, allowAll, assert, call, freePort, newToken, policyOf, raw, scenario, until, within} from './lib.mjs';

const streams = (handler) => Object.assign(handler, {streams: true});

async function start(
    s, origin, {rules = allowAll('api'), more, protocol = 'http', ...options} = {}) {
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], rules, more),
    upstreams: {api: {[protocol]: origin.url()}},
    ...options
  });
  return {sidecar, token: jordan.token};
}

// An upstream below HTTP: `onHead(socket, head, server)` for each head that comes, with what is
// known of it: {line, connection} (which connection it came on). Bodies are not looked at.
async function rawOrigin(s, onHead, options = {}) {
  const heads = [];
  const sockets = [];
  const server = net.createServer(options, (socket) => {
    const connection = sockets.push(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (data) => {
      text += data.toString('latin1');
      for (let end; (end = text.indexOf('\r\n\r\n')) >= 0; text = text.slice(end + 4)) {
        const head = {line: text.slice(0, text.indexOf('\r\n')), connection};
        heads.push(head);
        onHead(socket, head, server);
      }
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const {port} = server.address();
  s.defer(async () => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((done) => server.close(done));
  });
  return {heads, sockets, url: () => `http://127.0.0.1:${port}`};
}
const okAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

// Without a length the client sends an empty chunked body.
const noBody = {
  'Content-Length': 0
};
// A kept connection belongs to a thread.
const oneThread = {
  threads: 1
};

const priced = `prices:
  - {upstream: api, http: "PUT /**", cost: 0.10 USD}
budgets:
  cap: {for: everyone, limit: 1.00 USD per year}
`;
async function budget(sidecar) {
  const {json} = await call(sidecar.adminPort, 'GET', '/v1/budgets', {token: sidecar.adminToken});
  const {used, reserved} = json.budgets[0];
  return {used: Number(used), reserved: Number(reserved)};
}

scenario('a JSON body that rules read is in UTF-8, or goes nowhere', async (s) => {
  const origin = await s.origin();
  const {sidecar, token} = await start(s, origin, {
    rules: '    allow:\n      - {id: small, upstream: api, http: "POST /**", ' +
        'when: {args.amount: {max: 10}}}\n'
  });
  const post = (type, body) =>
      sidecar.call('POST', '/api/pay', {token, body, headers: {'Content-Type': type}});
  // Read as UTF-7, the text of `x` ends and a second amount begins.
  const two = '{"amount":1,"x":"+ACI-,+ACI-amount+ACI-:9999,+ACI-y+ACI-:+ACI-"}';
  for (const type of
           ['application/json; charset=utf-7', 'application/json;charset="UTF-7"',
            'application/vnd.pay+json; charset=utf-16']) {
    assert.equal((await post(type, two)).status, 415, type);
  }
  assert.equal(origin.requests.length, 0);
  const refused = await sidecar.records({target: '/pay', decision: 'malformed'}, 3);
  for (const {outcome} of refused) assert.equal(outcome.status, 415);
  assert.equal((await post('application/json; charset=utf-8', '{"amount":5}')).status, 200);
  assert.equal((await post('application/json; charset=utf-8', '{"amount":50}')).status, 403);
  assert.deepEqual(origin.requests.map(({body}) => body), ['{"amount":5}']);
});

scenario('an upload to an upstream that stops reading ends', async (s) => {
  const origin = await rawOrigin(s, () => {}, {pauseOnConnect: true});
  const {sidecar, token} = await start(s, origin, {config: {limits: {body: '1s', drain: '2s'}}});
  // Time is allowed by bytes of the body, and chunks of one byte fill the buffers on the way with
  // few of them.
  const chunks = '1\r\nx\r\n'.repeat(10_000);
  const socket = net.connect(sidecar.port, '127.0.0.1');
  s.defer(() => socket.destroy());
  let answer = '';
  socket.on('data', (data) => {
    answer += data.toString('latin1');
  });
  socket.on('error', () => {});
  const closed = new Promise((done) => socket.on('close', done));
  socket.write(`POST /api/stall HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${
      token}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  const send = () => {
    while (!socket.destroyed && socket.write(chunks));
  };
  socket.on('drain', send);
  send();
  await within(closed, 'the end of the upload', 120_000);
  assert.match(answer, /^HTTP\/1\.1 504 |^$/);
  const [{decision, outcome}] = await sidecar.records({target: '/stall'});
  assert.deepEqual([decision.decision, outcome.status, outcome.error], ['allow', 504, 'timeout']);
  assert.equal(origin.sockets.length, 1);
});

scenario('two SIGTERMs end a drain, and what hung is not tried again', async (s) => {
  const origin = await rawOrigin(s, (socket, {line}) => {
    if (line.startsWith('GET')) socket.write(okAnswer);
  });
  const {sidecar, token} = await start(s, origin, {config: {...oneThread, limits: {drain: '10m'}}});
  assert.equal((await sidecar.call('GET', '/api/first', {token})).status, 200);
  const put = sidecar.call('PUT', '/api/hang', {token, headers: noBody}).catch((error) => error);
  await until(() => origin.heads.length === 2, 'the PUT at the upstream');
  assert.equal(origin.heads[1].connection, 1, 'on the connection of the GET');
  sidecar.signal('SIGTERM');
  await until(
      () => call(sidecar.port, 'GET', '/api/late', {token})
                .then(() => false, (error) => error.code === 'ECONNREFUSED'),
      'a refused connection');
  assert.equal(sidecar.exit, undefined, 'it waits for what is under way');
  sidecar.signal('SIGTERM');
  assert.deepEqual(
      await within(sidecar.ended, 'the end after the second SIGTERM'), {code: 0, signal: null});
  await put;
  // A probe that came before the signal was acted on is a call like any other.
  assert.deepEqual(
      origin.heads.map(({line}) => line.split(' ').slice(0, 2).join(' '))
          .filter((line) => line !== 'GET /late'),
      ['GET /first', 'PUT /hang']);
  assert.equal(sidecar.audit({kind: 'outcome', target: '/hang'}).length, 1);
  assert.equal(sidecar.audit().at(-1).kind, 'stop');
});

scenario('a call that was sent is paid for, though its second try found nobody', async (s) => {
  const origin = await rawOrigin(s, (socket, {line}, server) => {
    if (line.startsWith('GET')) return socket.write(okAnswer);
    server.close();
    socket.destroy();
  });
  const {sidecar, token} = await start(s, origin, {more: priced, config: oneThread});
  assert.equal((await sidecar.call('GET', '/api/first', {token})).status, 200);
  const put = await sidecar.call('PUT', '/api/buy', {token, headers: noBody});
  assert.equal(put.status, 502);
  assert.deepEqual(
      origin.heads.map(({line, connection}) => [line.split(' ')[0], connection]),
      [['GET', 1], ['PUT', 1]]);
  const [{decision, outcome}] = await sidecar.records({target: '/buy'});
  assert.deepEqual(
      [decision.reserved, outcome.status, outcome.error, outcome.cost], [0.1, 502, 'connect', 0.1]);
  assert.deepEqual(await budget(sidecar), {used: 0.1, reserved: 0});
});

scenario('an upstream that cannot be reached is no refusal, and costs nothing', async (s) => {
  const port = await freePort();
  const {sidecar, token} = await start(s, {url: () => `http://127.0.0.1:${port}`}, {more: priced});
  const put = await sidecar.call('PUT', '/api/buy', {token, headers: noBody});
  assert.equal(put.status, 502);
  assert.equal(put.json.decision, 'allow');
  const [{decision, outcome}] = await sidecar.records({target: '/buy'});
  assert.deepEqual(
      [decision.decision, outcome.decision, outcome.status, outcome.error, outcome.cost],
      ['allow', 'allow', 502, 'connect', 0]);
  assert.deepEqual(await budget(sidecar), {used: 0, reserved: 0});
});

scenario('an early refusal is read whole, though the agent still sends', async (s) => {
  const text = 'too large '.repeat(20_000);
  const origin = await rawOrigin(
      s,
      (socket) => socket.write(
          `HTTP/1.1 413 Content Too Large\r\nContent-Length: ${text.length}\r\n\r\n${text}`));
  const {sidecar, token} = await start(s, origin);
  const socket = net.connect(sidecar.port, '127.0.0.1');
  s.defer(() => socket.destroy());
  const block = Buffer.alloc(64 * 1024, 'x');
  let answer = '';
  socket.on('error', () => {});
  const closed = new Promise((done) => socket.on('close', done));
  const whole = new Promise((done) => socket.on('data', (data) => {
    answer += data.toString('latin1');
    if (answer.endsWith(text)) return done();
    socket.write(block);  // on and on
  }));
  socket.write(`POST /api/early HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${
      token}\r\nContent-Length: 1000000000\r\n\r\n`);
  socket.write(block);
  await within(Promise.race([whole, closed]), 'the answer');
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.ok(answer.endsWith(`\r\n\r\n${text}`), `the answer ended after ${answer.length} bytes`);
  const [{outcome}] = await sidecar.records({target: '/early'});
  assert.deepEqual([outcome.status, outcome.error], [413, undefined]);
  assert.equal(origin.heads.length, 1);
});

scenario('an agent that leaves a stream with a stray byte is noticed upstream', async (s) => {
  let ended = 0;
  const origin = await s.origin(streams((request, response) => {
    response.on('close', () => {
      ended += 1;
    });
    response.writeHead(200, {'Content-Type': 'text/event-stream'});
    response.write('data: first\n\n');
  }));
  const {sidecar, token} = await start(s, origin);
  const socket = net.connect(sidecar.port, '127.0.0.1');
  s.defer(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(
      `GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  await within(once(socket, 'data'), 'the first bytes');
  assert.equal(await sidecar.metric('reeve_connections'), 1);
  socket.end('G', () => socket.destroy());
  await until(() => ended === 1, 'the end of the stream at the upstream');
  await until(
      async () => await sidecar.metric('reeve_connections') === 0, 'reeve_connections of 0');
  const [{outcome}] = await sidecar.records({target: '/events'});
  assert.equal(outcome.status, 200);
  assert.equal(origin.requests.length, 1);
});

const listen = (notifications) =>
    ({jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params: {notifications}});

scenario('MCP: subscriptions are a list of URIs, each of them judged', async (s) => {
  const origin = await s.origin((request, response) => {
    response.writeHead(200, {'Content-Type': 'application/json'});
    response.end('{"jsonrpc":"2.0","id":1,"result":{}}');
  });
  const {sidecar, token} = await start(s, origin, {
    protocol: 'mcp',
    rules: '    allow:\n      - {id: notes, upstream: api, resources: "note://open/*"}\n'
  });
  const send = (notifications) => {
    const message = listen(notifications);
    message.params._meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': {name: 'e2e', version: '1'},
      'io.modelcontextprotocol/clientCapabilities': {}
    };
    const headers = {'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'subscriptions/listen'};
    return sidecar.rpc('/api', message, {token, headers});
  };
  const denied = 'note://secret/1';
  const unclear = [
    {resourceSubscriptions: denied},
    {resourceSubscriptions: {0: denied, length: 1}},
    {resourceSubscriptions: [[denied]]},
    {resourceSubscriptions: null},
    [{resourceSubscriptions: [denied]}],
    denied,
  ];
  for (const notifications of unclear) {
    const answer = await send(notifications);
    assert.equal(answer.status, 400, JSON.stringify(notifications));
    assert.equal(answer.json.error.code, -32602, JSON.stringify(notifications));
    assert.equal(answer.json.id, 1);
  }
  await sidecar.records({decision: 'malformed'}, unclear.length);
  for (const uris of [[denied], ['note://open/1', denied], [denied, 'note://open/1']]) {
    const answer = await send({resourceSubscriptions: uris});
    assert.equal(answer.json.error.code, 403, JSON.stringify(uris));
  }
  const refused = await sidecar.records({decision: 'deny', action: 'subscriptions/listen'}, 3);
  for (const {decision} of refused) assert.equal(decision.target, denied);
  assert.equal(origin.requests.length, 0);
  const good = await send({resourceSubscriptions: ['note://open/1', 'note://open/2']});
  assert.deepEqual([good.status, good.json.result], [200, {}]);
  assert.equal(origin.requests.length, 1);
  await sidecar.records({decision: 'allow', action: 'subscriptions/listen'});
});

scenario('MCP: a list under an odd media type shows no hidden tool', async (s) => {
  const list = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    result: {tools: ['good', 'secret'].map((name) => ({name, inputSchema: {type: 'object'}}))}
  });
  let types;
  const origin = await s.origin((request, response) => {
    response.writeHead(200, types.flatMap((type) => ['Content-Type', type]));
    response.end(list);
  });
  const {sidecar, token} = await start(s, origin, {
    protocol: 'mcp',
    rules: '    allow:\n      - {upstream: api}\n    deny:\n' +
        '      - {id: veiled, upstream: api, tools: secret, hidden: true}\n'
  });
  const cases = [
    [['application/json'], 200],
    [['application/json\t; charset=utf-8'], 200],
    [['text/plain'], 502],
    [['application/json', 'application/json'], 502],
    [[], 502],
  ];
  for (const [sent, status] of cases) {
    types = sent;
    const answer =
        await sidecar.rpc('/api', {jsonrpc: '2.0', id: 1, method: 'tools/list'}, {token});
    assert.ok(!answer.body.includes('secret'), `${JSON.stringify(sent)}: ${answer.body}`);
    assert.equal(answer.status, status, JSON.stringify(sent));
    if (status === 200) assert.deepEqual(answer.json.result.tools.map(({name}) => name), ['good']);
  }
  assert.equal(origin.requests.length, cases.length);
  const records = await sidecar.records({action: 'tools/list'}, cases.length);
  assert.deepEqual(
      records.map(({outcome}) => [outcome.status, outcome.error]),
      cases.map(([, status]) => [status, status === 200 ? undefined : 'protocol']));
});

scenario('what only looks like this host is foreign', async (s) => {
  const origin = await s.origin();
  const {sidecar, token} = await start(s, origin);
  const {port} = sidecar;
  const get = (headers) => sidecar.call('GET', '/api/x', {token, headers});
  for (const foreign
           of [`http://127.0.0.1:${port}.evil.example`, 'http://localhost:80@evil.example',
               'http://localhost@evil.example', `http://127.0.0.1:${port}@evil.example:${port}`]) {
    assert.equal((await get({Origin: foreign})).status, 403, foreign);
  }
  const absolute = (authority) =>
      raw(port,
          `GET http://${authority}/api/x HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n` +
              `Authorization: Bearer ${token}\r\n\r\n`);
  const another = await s.origin();
  assert.match(await absolute(`127.0.0.1:${another.port}`), /^HTTP\/1\.1 403 /);
  assert.match(await absolute('127.0.0.1'), /^HTTP\/1\.1 403 /, 'port 80');
  assert.equal(origin.requests.length + another.requests.length, 0);
  const refused = await sidecar.records({listener: 'local'}, 6);
  assert.deepEqual(refused.map(({outcome}) => outcome.status), [403, 403, 403, 403, 403, 403]);
  for (const {decision} of refused) assert.notEqual(decision.decision, 'allow');

  assert.equal((await get({Origin: `http://localhost:${port}`})).status, 200);
  assert.match(await absolute(`127.0.0.1:${port}`), /^HTTP\/1\.1 200 /);
  assert.equal(origin.requests.length, 2);
});

scenario('admin connections that read nothing lock nobody out', async (s) => {
  const origin = await s.origin();
  const {sidecar} = await start(s, origin);
  const request = `GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:${sidecar.adminPort}\r\n\r\n`;
  const sockets = await Promise.all(Array.from({length: 64}, async () => {
    const socket = net.connect(sidecar.adminPort, '127.0.0.1');
    socket.on('error', () => {});
    s.defer(() => socket.destroy());
    await once(socket, 'connect');
    socket.pause();
    socket.write(request.repeat(400));
    return socket;
  }));
  for (let i = 0; i < 4; ++i)
    assert.equal((await call(sidecar.adminPort, 'GET', '/livez')).status, 200);
  for (const socket of sockets) socket.destroy();
  assert.equal(await sidecar.metric('reeve_connections'), 0);
});

scenario('a flood of unknown tokens is counted while it goes on, to the last', async (s) => {
  const origin = await s.origin();
  const {sidecar} = await start(s, origin);
  const counts = () => sidecar.audit({decision: 'unknown-agent', kind: 'decision'})
                           .filter(({count}) => count !== undefined);
  let going = true;
  let refusals = 0;
  const flood = Promise.all(Array.from({length: 8}, async () => {
    const agent = new http.Agent({keepAlive: true, maxSockets: 1});
    s.defer(() => agent.destroy());
    while (going) {
      assert.equal((await sidecar.call('GET', '/api/x', {token: newToken(), agent})).status, 401);
      refusals += 1;
    }
  }));
  const counted =
      until(() => counts().length >= 2, 'two counting lines during the flood').finally(() => {
        going = false;
      });
  await Promise.all([counted, flood]);
  assert.deepEqual(await sidecar.stop(), {code: 0, signal: null});
  const lines = sidecar.audit({decision: 'unknown-agent', kind: 'decision'});
  const told = lines.reduce((sum, {count = 1}) => sum + count, 0);
  assert.equal(told, refusals);
  assert.ok(lines.length < refusals / 2, `${lines.length} lines for ${refusals} refusals`);
  assert.equal(sidecar.audit().at(-1).kind, 'stop');
  assert.equal(origin.requests.length, 0);
});
