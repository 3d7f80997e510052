// HTTP calls: what is let through unchanged, what is refused and how, and that a refused call never
// reaches the upstream.
import {agentEntry, assert, call, freePort, ok, policyOf, raw, scenario} from './lib.mjs';

const rules = `    allow:
      - {id: read, upstream: api, http: ["GET /a/**", "GET /plain", "GET /search"]}
      - {id: write, upstream: api, http: "POST,PUT /a/*"}
      - {upstream: down}
    deny:
      - {id: no-secrets, upstream: api, http: "* /a/secret/**", because: Secrets stay here}
`;

async function start(s, handler = ok) {
  const origin = await s.origin(handler);
  const jordan = agentEntry('jordan');
  const down = await freePort();
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], rules),
    upstreams: {api: {http: origin.url('/base')}, down: {http: `http://127.0.0.1:${down}`}}
  });
  return {origin, sidecar, token: jordan.token};
}

scenario('an allowed call and its answer pass unchanged', async (s) => {
  const {origin, sidecar, token} = await start(s, (request, response, {body}) => {
    response.writeHead(201, [
      ['Content-Type', 'text/x-thing'], ['X-Two', 'a'], ['X-Two', 'b'], ['Set-Cookie', 'k=v']
    ].flat());
    response.end(`got ${body}`);
  });
  const answer = await sidecar.call(
      'POST', '/api/a/b?x=1&x=2&y=%2F', {token, headers: {'X-Mine': 'kept'}, body: 'hello ☕'});
  assert.equal(answer.status, 201);
  assert.equal(answer.body, 'got hello ☕');
  assert.equal(answer.headers['content-type'], 'text/x-thing');
  assert.equal(answer.headers['x-two'], 'a, b');
  const [seen] = origin.requests;
  assert.deepEqual(
      [seen.method, seen.url, seen.body, seen.headers['x-mine']],
      ['POST', '/base/a/b?x=1&x=2&y=%2F', 'hello ☕', 'kept']);
});

scenario('paths: what was judged is what is sent', async (s) => {
  const {origin, sidecar, token} = await start(s);
  const forwarded = [
    ['/api/a', '/base/a'],
    ['/api/a/', '/base/a/'],
    ['/api/a/b/c', '/base/a/b/c'],
    ['/api/%61/b', '/base/a/b'],
    ['/api/a/b%20c', '/base/a/b%20c'],
    ['/api/a/b%2Dc', '/base/a/b-c'],
    ['/api/a/%C3%A9', '/base/a/%C3%A9'],
    ['/api/search?q=%2e%2e%2f', '/base/search?q=%2e%2e%2f'],
    ['/api/plain/', '/base/plain/'],
  ];
  for (const [path, sent] of forwarded) {
    const answer = await sidecar.call('GET', path, {token});
    assert.equal(answer.status, 200, `${path}: ${answer.body}`);
    assert.equal(origin.requests.at(-1).url, sent);
  }
  const reached = origin.requests.length;
  const refused = [
    // Denied by rule, in any spelling.
    ['/api/a/secret', 403],
    ['/api/a/secret/x', 403],
    ['/api/a/%73ecret/x', 403],
    ['/api/a/secret/', 403],
    // No rule.
    ['/api/b', 403],
    ['/api/A/b', 403],
    ['/api/plain/x', 403],
    ['/api', 403],
    // Two readings.
    ['/api/a/../b', 400],
    ['/api/a/./b', 400],
    ['/api/a/%2e%2e/b', 400],
    ['/api/a/.%2e/secret', 400],
    ['/api/a//b', 400],
    ['/api/a/b%2fc', 400],
    ['/api/a/b%5Cc', 400],
    ['/api/a/b\\c', 400],
    ['/api/a/%00', 400],
    ['/api/a/b;x=1', 400],
    ['/api/a/%252e%252e/b', 400],
    ['/api/a/%zz', 400],
    ['/api/a/%', 400],
    ['/api/a/%ff', 400],
    ['/api/a/%c0%ae%c0%ae/b', 400],
    ['/api/../down/x', 400],
    ['//api/a', 400],
    ['/api/a/%252fsecret', 400],
    // No such upstream.
    ['/', 404],
    ['/nothing/a', 404],
    ['/API/a', 404],
    ['/api%20/a', 404],
  ];
  for (const [path, status] of refused) {
    const answer = await raw(
        sidecar.port,
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer ${
            token}\r\n\r\n`);
    assert.equal(Number(answer.slice(9, 12)), status, `${path}: ${answer}`);
    assert.match(answer, /application\/problem\+json/, path);
  }
  assert.equal(origin.requests.length, reached, 'nothing refused reached the upstream');
});

scenario('a refusal says what, why and by which rule', async (s) => {
  const {sidecar, token} = await start(s);
  const byRule = await sidecar.call('GET', '/api/a/secret/x', {token});
  assert.equal(byRule.status, 403);
  assert.equal(byRule.headers['content-type'], 'application/problem+json');
  assert.ok(byRule.json.type && byRule.json.title && byRule.json.detail);
  assert.match(
      byRule.json.request_id,
      /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const {status, decision, rule, because} = byRule.json;
  assert.deepEqual(
      {status, decision, rule, because},
      {status: 403, decision: 'deny', rule: 'no-secrets', because: 'Secrets stay here'});
  const byDefault = await sidecar.call('GET', '/api/b', {token});
  assert.equal(byDefault.json.rule, undefined);
  assert.match(byDefault.json.detail, /default|no rule/i);
  const [record] = await sidecar.records({call: byRule.json.request_id});
  assert.equal(record.decision.rule, 'no-secrets');
  assert.equal(record.outcome.status, 403);
});

scenario('methods are exact', async (s) => {
  const {origin, sidecar, token} = await start(s);
  const statuses = {};
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
    statuses[method] = (await sidecar.call(method, '/api/a/b', {token})).status;
  }
  assert.deepEqual(statuses, {
    GET: 200,
    HEAD: 403,
    POST: 200,
    PUT: 200,
    DELETE: 403,
    PATCH: 403,
    OPTIONS: 403,
    PROPFIND: 403
  });
  assert.equal(origin.requests.length, 3);
  assert.match(
      await raw(
          sidecar.port,
          `get /api/a/b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer ${
              token}\r\n\r\n`),
      /^HTTP\/1\.1 403 /);
});

scenario('a message with two readings is refused and hides nothing', async (s) => {
  const {origin, sidecar, token} = await start(s);
  const auth = `Host: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`;
  const hidden = `GET /api/a/hidden HTTP/1.1\r\n${auth}\r\n`;
  const messages = [
    `POST /api/a/b HTTP/1.1\r\n${
        auth}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
    `POST /api/a/b HTTP/1.1\r\n${auth}Content-Length: 0\r\nContent-Length: ${
        hidden.length}\r\n\r\n${hidden}`,
    `POST /api/a/b HTTP/1.1\r\n${auth}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`,
    `POST /api/a/b HTTP/1.1\r\n${auth}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`,
    `POST /api/a/b HTTP/1.1\r\n${auth}Content-Length: +4\r\n\r\nabcd${hidden}`,
    `POST /api/a/b HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n${hidden}`,
    `GET /api/a/b HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\nAuthorization: Bearer ${
        token}\r\n\r\n${hidden}`,
    `GET /api/a/b HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer ${token}\n\n${hidden}`,
    `GET  /api/a/b HTTP/1.1\r\n${auth}\r\n${hidden}`,
    `GET /api/a/b HTTP/1.1\r\n${auth}X: a\r\n b\r\n\r\n${hidden}`,
    `GET /api/a/b HTTP/1.1\r\n${auth}X: a\x00b\r\n\r\n${hidden}`,
    `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${hidden}`,
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`,
  ];
  for (const message of messages) {
    const answer = await raw(sidecar.port, message);
    assert.match(answer, /^HTTP\/1\.1 (4\d\d|501|505) |^$/, JSON.stringify(message.slice(0, 90)));
    assert.equal(
        answer.split('HTTP/1.1 ').length - 1 <= 1, true, 'one answer at most, then the end');
  }
  assert.deepEqual(origin.requests.filter((request) => request.url.includes('hidden')), []);
  assert.equal(
      (await sidecar.call('GET', '/api/a/b', {token})).status, 200,
      'and the next client is served');
});

scenario('one connection carries many calls, also sent ahead, each judged alone', async (s) => {
  const {origin, sidecar, token} = await start(s);
  const get = (path, last) => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${
      token}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
  const answer = await raw(
      sidecar.port,
      get('/api/a/1') + get('/api/a/secret/2') + get('/api/a/3') + get('/api/a/4', true));
  assert.deepEqual(
      [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => match[1]),
      ['200', '403', '200', '200']);
  assert.deepEqual(
      origin.requests.map((request) => request.url), ['/base/a/1', '/base/a/3', '/base/a/4']);
});

scenario('chunked bodies and Expect: 100-continue', async (s) => {
  const {origin, sidecar, token} = await start(s);
  const head =
      `POST /api/a/b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer ${
          token}\r\n`;
  const chunked = await raw(
      sidecar.port, `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n`);
  assert.match(chunked, /^HTTP\/1\.1 200 /);
  assert.equal(origin.requests[0].body, 'abcdefg');
  const expecting =
      await raw(sidecar.port, `${head}Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc`);
  assert.match(expecting, /HTTP\/1\.1 200 /);
  assert.equal(origin.requests[1].body, 'abc');
  assert.match(
      await raw(sidecar.port, `${head}Expect: something\r\nContent-Length: 3\r\n\r\nabc`),
      /^HTTP\/1\.1 417 /);
});

scenario(
    'an upstream that is down, breaks off or speaks nonsense is 502, and is recorded',
    async (s) => {
      const {sidecar, token} = await start(
          s,
          Object.assign(
              (request) => request.socket.end('SSH-2.0-nonsense\r\n\r\n'), {streams: true}));
      const down = await sidecar.call('GET', '/down/x', {token});
      assert.equal(down.status, 502);
      assert.equal(down.json.status, 502);
      const nonsense = await sidecar.call('GET', '/api/a/b', {token});
      assert.equal(nonsense.status, 502);
      const [record] = await sidecar.records({upstream: 'down'});
      assert.equal(record.decision.decision, 'allow');
      assert.equal(record.outcome.status, 502);
      assert.ok(record.outcome.error);
      assert.equal(await sidecar.metric('reeve_upstream_errors_total', {upstream: 'down'}), 1);
      assert.equal(await sidecar.metric('reeve_upstream_errors_total', {upstream: 'api'}), 1);
    });

scenario('an upstream that does not answer in time is 504', async (s) => {
  const origin = await s.origin(Object.assign(() => {}, {streams: true}));
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], '    allow:\n      - {upstream: api}\n'),
    upstreams: {api: {http: origin.url(), timeout: '300ms'}}
  });
  const answer = await sidecar.call('GET', '/api/x', {token: jordan.token});
  assert.equal(answer.status, 504);
  assert.equal(origin.requests.length, 1);
});

scenario('the admin listener serves its health to all and only its own Host', async (s) => {
  const {sidecar} = await start(s);
  assert.equal((await call(sidecar.adminPort, 'GET', '/livez')).status, 200);
  assert.equal((await call(sidecar.adminPort, 'GET', '/readyz')).status, 200);
  assert.equal((await call(sidecar.adminPort, 'GET', '/v1/agents')).status >= 400, true);
  const foreign =
      await call(sidecar.adminPort, 'GET', '/metrics', {headers: {Host: 'evil.example'}});
  assert.equal(foreign.status >= 400, true, 'a rebound name gets nothing');
});

scenario('a body that rules read and that is not said to be JSON is in doubt', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], `    allow:
      - {upstream: api, http: "POST /absent", when: {args.override: {present: false}}}
      - {upstream: api, http: "POST /default", when: {args.amount: {default: 0, max: 100}}}
`),
    upstreams: {api: {http: origin.url()}}
  });
  const post = async (path, headers, body) => {
    const answer = await sidecar.call('POST', path, {token: jordan.token, headers, body});
    return answer.status;
  };
  const json = [['Content-Type', 'application/json']];
  assert.equal(await post('/api/absent', json, '{"x":1}'), 200);
  assert.equal(await post('/api/absent', json, '{"override":true}'), 403);
  assert.equal(await post('/api/absent', [], undefined), 200);
  assert.equal(await post('/api/default', json, '{"amount":9999}'), 403);
  const before = origin.requests.length;
  for (const type of ['text/plain', 'text/json', 'application/x-www-form-urlencoded']) {
    assert.equal(await post('/api/absent', [['Content-Type', type]], '{"override":true}'), 403);
    assert.equal(await post('/api/default', [['Content-Type', type]], '{"amount":9999}'), 403);
  }
  assert.equal(await post('/api/absent', [], '{"override":true}'), 403);
  const twice = [...json, ['content-type', 'application/json']];
  assert.equal(await post('/api/default', twice, '{"amount":9999}'), 415);
  assert.equal(origin.requests.length, before);
});
