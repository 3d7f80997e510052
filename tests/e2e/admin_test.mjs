// The admin side: health for all, the rest only for people of the sidecar, and nothing of it on the
// agents' side.
import {readFileSync, writeFileSync} from 'node:fs';

import {agentEntry, allowAll, assert, call, newToken, policyOf, scenario, sha256} from './lib.mjs';

async function start(s, admin = {}) {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const wiring = await s.configure(
      {policy: policyOf([jordan], allowAll('api')), upstreams: {api: {http: origin.url()}}});
  const lee = newToken();
  const path = `${wiring.folder}/reeve.yaml`;
  const config = JSON.parse(readFileSync(path, 'utf8'));
  Object.assign(
      config.admin,
      {people: [{name: 'lee@acme.example', role: 'viewer', token_sha256: sha256(lee)}], ...admin});
  writeFileSync(path, JSON.stringify(config));
  const sidecar = await s.launch(wiring).ready();
  const get = (where, options) => call(sidecar.adminPort, 'GET', where, options);
  return {sidecar, get, lee, agentToken: jordan.token, origin};
}

scenario('health and metrics are open, the rest is for an operator or a person', async (s) => {
  const {sidecar, get, lee, agentToken} = await start(s);
  for (const path of ['/livez', '/readyz', '/metrics'])
    assert.equal((await get(path)).status, 200, path);
  for (const path of ['/v1/agents', '/v1/budgets', '/v1/policy']) {
    assert.equal((await get(path, {token: sidecar.adminToken})).status, 200, path);
    assert.equal((await get(path, {token: lee})).status, 200, path);
  }
  for (const token of [undefined, newToken(), agentToken, sha256(lee)]) {
    assert.equal((await get('/v1/agents', {token})).status, 401);
  }
  const agents = JSON.stringify((await get('/v1/agents', {token: lee})).json);
  assert.ok(agents.includes('jordan') && agents.includes('dana@acme.example'));
  assert.ok(!agents.includes(sha256(agentToken)), 'not even the hash of a token');
});

scenario('metrics can be kept for those with a token', async (s) => {
  const {sidecar, get, lee} = await start(s, {metrics: 'token'});
  assert.equal((await get('/metrics')).status, 401);
  assert.equal((await get('/metrics', {token: lee})).status, 200);
  assert.equal((await get('/readyz')).status, 200);
  assert.equal((await get('/metrics', {token: sidecar.adminToken})).status, 200);
});

scenario('foreign names, pages and guessing are refused', async (s) => {
  const {get, lee} = await start(s, {hosts: ['reeve.internal']});
  assert.equal((await get('/metrics', {headers: {Host: 'evil.example'}})).status, 403);
  assert.equal((await get('/metrics', {headers: {Host: 'reeve.internal'}})).status, 200);
  assert.equal(
      (await get('/v1/agents', {token: lee, headers: {Origin: 'http://evil.example'}})).status,
      403);
  const guesses =
      await Promise.all(Array.from({length: 60}, () => get('/v1/agents', {token: newToken()})));
  const statuses = new Set(guesses.map((answer) => answer.status));
  assert.deepEqual([...statuses].sort(), [401, 429]);
});

scenario(
    'an agent\'s side has nothing of the admin\'s, and a person\'s token is no agent\'s',
    async (s) => {
      const {sidecar, lee, agentToken, origin} = await start(s);
      for (const path of ['/metrics', '/readyz', '/v1/agents']) {
        assert.equal((await sidecar.call('GET', path, {token: agentToken})).status, 404, path);
      }
      for (const token of [lee, sidecar.adminToken])
        assert.equal((await sidecar.call('GET', '/api/x', {token})).status, 401);
      assert.equal(origin.requests.length, 0);
    });
