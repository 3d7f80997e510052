// Who is calling: every way to prove it, every doubt about it, and that no credential of an agent
// goes further.
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

import {agentEntry, allowAll, assert, call, freePort, newToken, ok, policyOf, raw, scenario, sha256} from './lib.mjs';

const basic = (token) => `Basic ${Buffer.from(`agent:${token}`).toString('base64')}`;

scenario('a caller is proven by any of its credentials, or refused', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const riley = agentEntry('riley');
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan, riley], allowAll('api')), upstreams: {api: {http: origin.url()}}});
  const bearer = `Bearer ${jordan.token}`;
  const cases = [
    ['bearer', [['Authorization', bearer]], 200],
    ['bearer, scheme in another case', [['authorization', `bearer ${jordan.token}`]], 200],
    ['x-api-key', [['x-api-key', jordan.token]], 200],
    ['proxy bearer', [['Proxy-Authorization', bearer]], 200],
    ['proxy basic', [['Proxy-Authorization', basic(jordan.token)]], 200],
    ['one agent twice', [['Authorization', bearer], ['x-api-key', jordan.token]], 200],
    ['nothing', [], 401],
    ['unknown token', [['Authorization', `Bearer ${newToken()}`]], 401],
    ['empty token', [['Authorization', 'Bearer ']], 401],
    ['no scheme', [['Authorization', jordan.token]], 401],
    ['another scheme', [['Authorization', basic(jordan.token)]], 401],
    ['the hash instead of the token', [['Authorization', `Bearer ${sha256(jordan.token)}`]], 401],
    ['the token and more', [['Authorization', `${bearer}x`]], 401],
    ['half of the token', [['Authorization', bearer.slice(0, -8)]], 401],
    ['two agents', [['Authorization', bearer], ['x-api-key', riley.token]], 401],
    ['known and unknown', [['Authorization', bearer], ['x-api-key', newToken()]], 401],
    ['two fields of one name', [['Authorization', bearer], ['Authorization', bearer]], 401],
    ['a list of two', [['Authorization', `${bearer}, Bearer ${riley.token}`]], 401],
  ];
  for (const [name, headers, status] of cases) {
    const before = origin.requests.length;
    const answer = await sidecar.call('GET', '/api/x', {headers});
    assert.equal(answer.status, status, name);
    assert.equal(
        origin.requests.length - before, status === 200 ? 1 : 0,
        `${name}: what reached the upstream`);
    if (status === 401) {
      assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/, name);
      assert.equal(answer.headers['content-type'], 'application/problem+json', name);
      assert.equal(answer.json.status, 401, name);
      assert.equal(answer.json.decision, 'unknown-agent', name);
    }
  }
  await sidecar.records({agent: 'jordan', decision: 'allow'}, 6);
});

scenario('a listener proves its agent, and a token there must not prove another', async (s) => {
  const origin = await s.origin();
  const second = await freePort();
  const jordan = agentEntry('jordan');
  const riley = agentEntry('riley', {identity: 'listener: desk'});
  const sidecar = await s.sidecar({
    policy: policyOf([jordan, riley], allowAll('api')),
    upstreams: {api: {http: origin.url()}},
    listen: (port) =>
        [{name: 'local', address: `127.0.0.1:${port}`},
         {name: 'desk', address: `127.0.0.1:${second}`}],
  });
  assert.equal((await call(second, 'GET', '/api/x')).status, 200);
  assert.equal(
      (await call(second, 'GET', '/api/x', {token: jordan.token})).status, 401, 'two agents');
  assert.equal(
      (await call(second, 'GET', '/api/x', {token: newToken()})).status, 401, 'unknown token');
  assert.equal(
      (await sidecar.call('GET', '/api/x')).status, 401, 'the other listener proves nobody');
  assert.equal(origin.requests.length, 1);
  const [{decision}] = await sidecar.records({agent: 'riley'});
  assert.equal(decision.listener, 'desk');
});

scenario('no credential or claim of an agent goes further; the upstream has its own', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const secret = newToken();
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], `    allow:\n      - {
    upstream: [api, open]}\n`),
    upstreams: {
      api: {http: origin.url(), credential: {header: 'X-Upstream-Key', value: secret}},
      open: {http: origin.url(), pass_headers: ['Cookie', 'x_flag']},
    },
  });
  const claims = [
    ['Cookie', 'a=b'],
    ['Forwarded', 'for=10.0.0.1'],
    ['X-Forwarded-For', '10.0.0.1'],
    ['X-Forwarded-Host', 'evil'],
    ['X-Real-IP', '10.0.0.1'],
    ['X-HTTP-Method-Override', 'DELETE'],
    ['X-HTTP-Method', 'DELETE'],
    ['X-Method-Override', 'DELETE'],
    ['X-Original-URL', '/admin'],
    ['X-Rewrite-URL', '/admin'],
    ['reeve-agent', 'riley'],
    ['x_flag', '1'],
    ['X_Upstream_Key', 'forged'],
    ['X-Upstream-Key', 'forged'],
    ['X-UPSTREAM-KEY', 'forged'],
    ['x-api-key', jordan.token],
    ['Proxy-Authorization', `Bearer ${jordan.token}`],
    ['Connection', 'keep-alive, X-Upstream-Key'],
    ['X-Kept', 'yes'],
  ];
  assert.equal(
      (await sidecar.call('GET', '/api/x', {token: jordan.token, headers: claims})).status, 200);
  const [seen] = origin.requests;
  const names = seen.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  const dropped = [...claims.map(([name]) => name.toLowerCase()), 'authorization'].filter(
      (name) => !['x-upstream-key', 'x-kept', 'connection'].includes(name));
  assert.deepEqual(dropped.filter((name) => names.includes(name)), []);
  assert.equal(seen.headers['x-kept'], 'yes');
  assert.equal(names.filter((name) => name === 'x-upstream-key').length, 1);
  assert.equal(seen.headers['x-upstream-key'], secret);
  assert.equal(seen.headers.host, `127.0.0.1:${origin.port}`);
  assert.ok(!seen.rawHeaders.join().includes(jordan.token));

  // The same key in a trailer must not become a second one.
  await raw(
      sidecar.port,
      `POST /api/x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${
          jordan.token}\r\nConnection: close\r\n` +
          'Transfer-Encoding: chunked\r\nTrailer: X-Upstream-Key\r\n\r\n' +
          '2\r\nhi\r\n0\r\nX-Upstream-Key: forged\r\n\r\n');
  assert.equal(origin.requests[1].headers['x-upstream-key'], secret);
  assert.equal(origin.requests[1].body, 'hi');

  await sidecar.call('GET', '/open/x', {
    token: jordan.token,
    headers: [['Cookie', 'a=b'], ['x_flag', '1'], ['X-Real-IP', '1.1.1.1']]
  });
  assert.equal(origin.requests[2].headers.cookie, 'a=b');
  assert.equal(origin.requests[2].headers.x_flag, '1');
  assert.equal(origin.requests[2].headers['x-real-ip'], undefined);
});

scenario(
    'tokens and credentials appear nowhere: not in the record, the state, the metrics or the log',
    async (s) => {
      const origin = await s.origin(ok);
      const jordan = agentEntry('jordan');
      const secret = newToken();
      const stranger = newToken();
      const sidecar = await s.sidecar({
        policy: policyOf([jordan], allowAll('api')),
        upstreams: {
          api:
              {http: origin.url(), credential: {header: 'Authorization', value: `Bearer ${secret}`}}
        }
      });
      const bodies = [
        await sidecar.call('GET', '/api/x', {token: jordan.token}),
        await sidecar.call('GET', '/other/x', {token: jordan.token}),
        await sidecar.call('GET', '/api/x', {token: stranger}),
        await sidecar.call('GET', '/api/x', {headers: {'x-api-key': stranger}}),
      ].map((answer) => answer.body);
      bodies.push(await raw(
          sidecar.port, `GET /api/x HTTP/9.9\r\nAuthorization: Bearer ${jordan.token}\r\n\r\n`));
      await sidecar.records({decision: 'unknown-agent'}, 2);
      const metrics = (await call(sidecar.adminPort, 'GET', '/metrics')).body;
      await sidecar.stop();
      const files = readdirSync(join(sidecar.folder, 'state'))
                        .map((name) => readFileSync(join(sidecar.folder, 'state', name), 'latin1'));
      const everything = [sidecar.stderr, metrics, ...bodies, ...files].join('\n');
      for (const planted of [jordan.token, secret, stranger, sidecar.adminToken])
        assert.ok(!everything.includes(planted));
    });

scenario(
    'nobody fills the disk by knocking: ten lines a second, the rest is counted', async (s) => {
      const jordan = agentEntry('jordan');
      const sidecar = await s.sidecar({
        policy: policyOf([jordan], allowAll('api')),
        upstreams: {api: {http: 'http://127.0.0.1:9'}}
      });
      const knocks = 300;
      await Promise.all(
          Array.from({length: knocks}, () => sidecar.call('GET', '/api/x', {token: newToken()})));
      await sidecar.stop();
      const lines = sidecar.audit({kind: 'decision', decision: 'unknown-agent'});
      const single = lines.filter((line) => line.call);
      const perSecond = {};
      for (const {time} of single)
        perSecond[time.slice(0, 19)] = (perSecond[time.slice(0, 19)] ?? 0) + 1;
      assert.ok(Math.max(...Object.values(perSecond)) <= 10, JSON.stringify(perSecond));
      const counted = lines.filter((line) => !line.call).reduce((sum, line) => sum + line.count, 0);
      assert.equal(single.length + counted, knocks);
      assert.equal(sidecar.audit({kind: 'outcome'}).length, single.length);
    });
