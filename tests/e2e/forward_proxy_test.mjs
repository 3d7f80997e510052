// The forward proxy: who may go where through it, what is never dialled, what it costs, and what
// the record says. Real clients: curl and Node's.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';

import {agentEntry, assert, call, freePort, policyOf, raw, run, scenario, until, within} from './lib.mjs';
import {anyTunnel, connect, echo, loopback, start, tcpServer, tlsServer} from './tunnel.mjs';

scenario('curl and Node reach a server of TLS through CONNECT, and are recorded', async (s) => {
  const {sidecar, token} = await start(s);
  const server = await tlsServer(s);
  const proxies = [
    [
      '--proxy-header', `Proxy-Authorization: Bearer ${token}`, '-x',
      `http://127.0.0.1:${sidecar.port}`
    ],
    ['-x', `http://agent:${token}@127.0.0.1:${sidecar.port}`],
  ];
  for (const proxy of proxies) {
    for (const url
             of [`https://localhost:${server.port}/a`, `https://127.0.0.1:${server.port}/a`]) {
      const curl =
          await run('curl', ['-sS', '--noproxy', '', '--cacert', server.cert, ...proxy, url]);
      assert.deepEqual([curl.code, curl.out, curl.err], [0, 'ok', '']);
    }
  }
  const opened = await connect(sidecar, `LOCALHOST:${server.port}`, {token});
  assert.match(opened.head, /^HTTP\/1\.1 200 [^\r]+\r\nreeve-request-id: [0-9a-f-]{36}\r\n\r\n$/);
  const agent = new https.Agent();
  agent.createConnection = () =>
      tls.connect({socket: opened.socket, servername: 'localhost', ca: server.ca});
  const request = https.get({host: 'localhost', path: '/b', agent});
  const [response] = await within(once(request, 'response'), 'an answer through a tunnel');
  let answer = '';
  for await (const part of response) answer += part;
  assert.equal(answer, 'ok');
  assert.deepEqual(server.names.filter(Boolean), ['localhost', 'localhost', 'localhost']);
  opened.socket.destroy();
  const records = await sidecar.records({action: 'CONNECT'}, 5);
  assert.deepEqual(
      records.map(({decision}) => [decision.decision, decision.rule, decision.agent]),
      Array(5).fill(['allow', 'out', 'jordan']));
  assert.equal(records[4].decision.target, `localhost:${server.port}`, 'in lower case');
  for (const {decision, outcome} of records) {
    assert.equal(outcome.target, decision.target);
    assert.equal(outcome.status, 200);
    assert.equal(outcome.upstream, undefined);
    assert.ok(outcome.bytes_in > 200 && outcome.bytes_out > 200, 'bytes are counted');
    assert.ok(outcome.ms > 0 && outcome.upstream_ms > 0);
  }
  // A client of TLS closes without reading the other's farewell, which may look like a reset.
  for (const {outcome} of records) assert.ok([undefined, 'agent-gone'].includes(outcome.error));
  assert.equal(
      await sidecar.metric(
          'reeve_calls_total',
          {agent: 'jordan', upstream: 'other', action: 'CONNECT', decision: 'allow'}),
      5);
});

scenario('a caller is proven by the listener, too, and whatever it shows must agree', async (s) => {
  const {sidecar} = await start(s, {agent: {identity: 'listener: local'}});
  const server = await tcpServer(s, echo);
  const target = `127.0.0.1:${server.port}`;
  const {status, socket} = await connect(sidecar, target);
  assert.equal(status, 200);
  socket.destroy();
  assert.equal((await connect(sidecar, target, {token: 'wrong'})).status, 401);
  const basic = `Proxy-Authorization: Basic ${Buffer.from('x:wrong').toString('base64')}`;
  assert.equal((await connect(sidecar, target, {headers: [basic]})).status, 401);
  const [{decision, outcome}] = await sidecar.records({decision: 'unknown-agent'}, 2);
  assert.deepEqual([decision.agent, outcome.status], [undefined, 401]);
});

scenario('who may not gets no tunnel, and is told why', async (s) => {
  const rules = '    allow:\n      - {id: out, connect: ["*:443", "*:8080", "localhost:*"]}\n' +
      '    deny:\n      - {id: bad, connect: "*.bad.example:*", because: It is bad}\n';
  const {sidecar, token} = await start(s, {rules});
  const server = await tcpServer(s, echo);
  const denied = await connect(sidecar, `127.0.0.1:${server.port}`, {token});
  assert.deepEqual([denied.status, denied.json.decision], [403, 'deny']);
  const byRule = await connect(sidecar, 'WWW.Bad.Example:443', {token});
  assert.deepEqual(
      [byRule.status, byRule.json.rule, byRule.json.because], [403, 'bad', 'It is bad']);
  for (const port of [22, 25]) {
    assert.equal((await connect(sidecar, `mail.example:${port}`, {token})).status, 403);
  }
  assert.equal((await connect(sidecar, 'a.example:443')).status, 401);
  assert.equal((await connect(sidecar, 'a.example:443', {token: 'wrong'})).status, 401);
  const malformed = [
    'a.example.:443', 'a..example:443', '0x7f.1:443', '2130706433:443', '127.1:443',
    '0177.0.0.1:443', '127.0.0.1.:443', 'user@a.example:443', 'a.example:0', 'a.example:65536',
    'a.example', 'a%2eexample:443', '[fe80::1%25lo]:443', 'a.example:443/x',
    '\u00ef\u00bc\u0091.0.0.1:443'
  ];
  for (const target of malformed) {
    const {status, json} = await connect(sidecar, target, {token});
    assert.deepEqual([status, json.decision], [400, 'malformed'], target);
  }
  assert.equal(server.sockets.length, 0, 'nothing was dialled');
  const [{decision, outcome}] = await sidecar.records({rule: 'bad'});
  assert.deepEqual(
      [decision.decision, decision.target, outcome.status, outcome.bytes_in],
      ['deny', 'www.bad.example:443', 403, 0]);
});

scenario('inner addresses are dialled only where reeve.yaml says so', async (s) => {
  const {sidecar, token} = await start(s, {config: {dial: {allow: []}}});
  const server = await tcpServer(s, echo);
  const inner = [
    '127.0.0.1',        '127.9.9.9',  '0.0.0.0',     '10.0.0.1',   '100.64.0.1',
    '169.254.169.254',  '172.16.0.1', '192.168.1.1', '198.18.0.1', '224.0.0.1',
    '255.255.255.255',  '192.0.2.1',  '[::1]',       '[::]',       '[64:ff9b::7f00:1]',
    '[2002:7f00:1::1]', '[2001::1]',  '[fe80::1]',   '[fc00::1]',  '[ff02::1]',
    '[2001:db8::1]'
  ];
  for (const host of inner) {
    const {status, json} = await connect(sidecar, `${host}:${server.port}`, {token});
    assert.deepEqual([status, json.decision], [403, 'deny'], host);
    assert.match(json.detail, /not public/);
  }
  const mapped = await connect(sidecar, `[::ffff:127.0.0.1]:${server.port}`, {token});
  assert.equal(mapped.status, 400, 'another spelling, which a rule would not know');
  // A name is looked up only after the decision was recorded, so that says allow.
  const named = await connect(sidecar, `localhost:${server.port}`, {token});
  assert.deepEqual([named.status, named.json.decision], [403, 'deny']);
  assert.equal(server.sockets.length, 0, 'nothing was dialled');
  const [first] = await sidecar.records({reason: 'address'}, inner.length);
  assert.deepEqual([first.decision.decision, first.outcome.status], ['deny', 403]);
  const [{outcome}] = await sidecar.records({target: `localhost:${server.port}`});
  assert.deepEqual([outcome.status, outcome.error], [403, 'address']);
});

scenario('the sidecar\'s own listeners are never reached', async (s) => {
  const {sidecar, token} = await start(s, {
    config: {dial: {allow: ['0.0.0.0/0', '::/0']}},
  });
  for (const port of [sidecar.port, sidecar.adminPort]) {
    for (const host of ['127.0.0.1', 'localhost', '0.0.0.0', '[::]']) {
      const {status, json} = await connect(sidecar, `${host}:${port}`, {token});
      assert.deepEqual(
          [status, json.detail], [403, 'Denied: the target is the sidecar itself'], host);
    }
  }
});

scenario('a host that cannot be reached', async (s) => {
  const {sidecar, token} = await start(s);
  const nobody = await freePort();
  const refused = await connect(sidecar, `127.0.0.1:${nobody}`, {token});
  assert.deepEqual([refused.status, refused.json.decision], [502, 'allow']);
  const unknown = await connect(sidecar, 'no-such-host.invalid:443', {token});
  assert.equal(unknown.status, 502);
  const records = await sidecar.records({action: 'CONNECT'}, 2);
  assert.deepEqual(records.map(({outcome}) => outcome.error), ['connect', 'connect']);
  assert.equal(
      await sidecar.metric('reeve_upstream_errors_total', {upstream: 'other', kind: 'connect'}), 2);
});

scenario('tunnels have prices and budgets, and pay once they are open', async (s) => {
  const more = 'prices:\n  - {connect: "*:*", cost: 0.25 USD}\n' +
      'budgets:\n  cap: {for: everyone, limit: 1 USD per month}\n';
  const {sidecar, token} = await start(s, {more});
  const server = await tcpServer(s, echo);
  const nobody = await freePort();
  assert.equal((await connect(sidecar, `127.0.0.1:${nobody}`, {token})).status, 502);
  const answers = await Promise.all(
      Array.from({length: 12}, () => connect(sidecar, `127.0.0.1:${server.port}`, {token})));
  const open = answers.filter(({status}) => status === 200);
  assert.equal(open.length, 4);
  const refused = answers.filter(({status}) => status === 402);
  assert.equal(refused.length, 8);
  assert.equal(refused[0].json.budget, 'cap');
  for (const {socket} of open) socket.destroy();
  const records = await sidecar.records({action: 'CONNECT'}, 13);
  assert.equal(records.reduce((sum, {outcome}) => sum + (outcome.cost ?? 0), 0), 1);
  assert.equal(await sidecar.metric('reeve_spend_total', {upstream: 'other'}), 1);
  assert.equal(await sidecar.metric('reeve_budget_used', {budget: 'cap'}), 1);
});

scenario('report mode lets no tunnel through', async (s) => {
  const jordan = agentEntry('jordan');
  const origin = await s.origin();
  const sidecar = await s.sidecar({
    policy: `mode: report\n${
        policyOf(
            [jordan], '    deny:\n      - {id: no, connect: "*:*"}\n',
            'budgets:\n  cap: {for: everyone, limit: 1 calls per day}\n')}`,
    upstreams: {api: {http: origin.url()}},
    config: loopback
  });
  const server = await tcpServer(s, echo);
  const {status} = await connect(sidecar, `127.0.0.1:${server.port}`, {token: jordan.token});
  assert.equal(status, 403);
  assert.equal((await sidecar.call('GET', '/api/x', {token: jordan.token})).status, 200);
  sidecar.writePolicy(`mode: report\n${
      policyOf(
          [jordan], anyTunnel, 'budgets:\n  cap: {for: everyone, limit: 1 calls per day}\n')}`);
  sidecar.signal('SIGHUP');
  await until(() => sidecar.audit({kind: 'policy', result: 'ok'}).length > 0, 'the new policy');
  const spent = await connect(sidecar, `127.0.0.1:${server.port}`, {token: jordan.token});
  assert.equal(spent.status, 402, 'nor does it let a budget be overdrawn');
  assert.equal(server.sockets.length, 0);
});

scenario('absolute form is judged as host:port and goes on in origin form', async (s) => {
  const rules = '    allow:\n      - {id: out, connect: "localhost:*"}\n';
  const {sidecar, token} = await start(s, {rules});
  const server = await s.origin();
  const proxy = ['-x', `http://agent:${token}@127.0.0.1:${sidecar.port}`, '--noproxy', ''];
  const curl = await run('curl', [
    ...proxy, '-sS', '-d', 'body', '-H', 'Cookie: a=b', `http://localhost:${server.port}/a/b?c=d`
  ]);
  assert.deepEqual([curl.code, curl.out], [0, 'ok']);
  const [request] = server.requests;
  assert.deepEqual(
      [request.method, request.url, request.body, request.headers.host],
      ['POST', '/a/b?c=d', 'body', `localhost:${server.port}`]);
  assert.ok(!request.rawHeaders.join().includes(token), 'no credential goes on');
  assert.equal(request.headers['proxy-authorization'], undefined);
  assert.equal(request.headers.cookie, undefined);
  const absolute = (url, host) => call(sidecar.port, 'GET', url, {token, headers: {Host: host}});
  assert.equal((await absolute('http://a.example/', 'a.example')).status, 403);
  const secure = await absolute('https://localhost/', 'localhost');
  assert.equal(secure.status, 501);
  assert.match(secure.json.detail, /CONNECT/);
  assert.equal((await absolute('http://127.1/', '127.1')).status, 400);
  const own = await absolute(
      `http://localhost:${sidecar.adminPort}/livez`, `localhost:${sidecar.adminPort}`);
  assert.equal(own.status, 403, 'never the own admin side');
  const records = await sidecar.records({}, 5);
  assert.deepEqual(
      records.map(({decision, outcome}) => [decision.action, decision.target, outcome.status]), [
        ['POST', `localhost:${server.port}`, 200],
        ['GET', 'a.example:80', 403],
        ['GET', '/', 501],
        ['GET', '/', 400],
        ['GET', `localhost:${sidecar.adminPort}`, 403],
      ]);
});

scenario('WebSocket, gRPC and HTTP/2 are refused with the way that works', async (s) => {
  const {sidecar, origin, token} =
      await start(s, {rules: '    allow:\n      - {id: all, upstream: api}\n'});
  const get = (headers) => sidecar.call('GET', '/api/x', {token, headers});
  const socket = {'Connection': 'Upgrade', 'Sec-WebSocket-Version': '13'};
  for (const upgrade of ['websocket', 'WebSocket', 'h2c, websocket']) {
    const {status, json} = await get({...socket, Upgrade: upgrade});
    assert.deepEqual([status, json.decision], [501, 'malformed']);
    assert.match(json.detail, /CONNECT/);
  }
  for (const type of ['application/grpc', 'application/grpc+proto', 'Application/GRPC; a=b']) {
    const {status, json} =
        await sidecar.call('POST', '/api/x', {token, headers: {'Content-Type': type}, body: 'x'});
    assert.equal(status, 501, type);
    assert.match(json.detail, /CONNECT/);
  }
  assert.match(
      await raw(sidecar.port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), /^HTTP\/1\.1 505 [^]*CONNECT/);
  assert.equal(origin.requests.length, 0);
  // An offer need not be taken up, and these are HTTP/1.1.
  assert.equal((await get({Connection: 'Upgrade', Upgrade: 'h2c'})).status, 200);
  const web = {'Content-Type': 'application/grpc-web+proto'};
  assert.equal(
      (await sidecar.call('POST', '/api/x', {token, headers: web, body: 'x'})).status, 200);
  assert.equal(origin.requests[0].headers.upgrade, undefined);
});

scenario(
    'a host that does not accept is given up in time, and when the agent leaves', async (s) => {
      const {sidecar, token} = await start(s);
      // Stopped with its queue full, it answers nobody.
      const code = 'const s = require("net").createServer().listen({port: 0, host: "127.0.0.1", ' +
          'backlog: 1}, () => console.log(s.address().port))';
      const child = spawn(process.execPath, ['-e', code], {stdio: ['ignore', 'pipe', 'ignore']});
      s.defer(() => child.kill('SIGKILL'));
      const [line] = await within(once(child.stdout, 'data'), 'a port');
      child.kill('SIGSTOP');
      const port = Number(line);
      for (let i = 0; i < 4; ++i) {
        const filler = net.connect(port, '127.0.0.1').on('error', () => {});
        s.defer(() => filler.destroy());
      }
      const leaves = net.connect(sidecar.port, '127.0.0.1').on('error', () => {});
      const before = Date.now();
      const late = connect(sidecar, `127.0.0.1:${port}`, {token});
      leaves.write(
          `CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
          `Authorization: Bearer ${token}\r\n\r\n`);
      await until(() => sidecar.audit({kind: 'decision'}).length === 2, 'both decisions');
      leaves.destroy();
      await until(() => sidecar.audit({error: 'agent-gone'}).length === 1, 'the end of one');
      assert.ok(Date.now() - before < 8000, 'without waiting for the limit');
      const {status, json} = await late;
      assert.deepEqual([status, json.decision], [504, 'allow']);
      assert.ok(Date.now() - before > 9000);
      const records = await sidecar.records({action: 'CONNECT'}, 2);
      assert.deepEqual(records.map(({outcome}) => outcome.error).sort(), ['agent-gone', 'timeout']);
    });
