// A budget that warns, and one that has run out, is a line in the record: once in its window.
import {agentEntry, assert, call, policyOf, scenario, until} from './lib.mjs';

const allow = '    allow:\n      - {upstream: api}\n';

scenario('a budget that warns and runs out says so in the record, once', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allow, `budgets:
  calls: {for: {each: agent}, limit: 10 calls per year, warn: 80%}
  large: {for: everyone, limit: 1000 calls total, warn: 80%}
`),
    upstreams: {api: {http: origin.url()}}
  });
  const ask = () => call(sidecar.port, 'GET', '/api/x', {token: jordan.token});
  const lines = (state) => sidecar.audit({kind: 'budget', state});
  for (let i = 0; i < 8; ++i) assert.equal((await ask()).status, 200);
  await until(() => lines('warned').length === 1, 'a line that warns');
  const [{budget, scope, unit, limit, used, resets}] = lines('warned');
  assert.deepEqual(
      {budget, scope, unit, limit, used},
      {budget: 'calls', scope: 'agent:jordan', unit: 'calls', limit: 10, used: 8});
  assert.match(resets, /^\d{4}-01-01T00:00:00/);
  assert.equal(lines('spent').length, 0);
  for (let i = 0; i < 2; ++i) assert.equal((await ask()).status, 200);
  for (let i = 0; i < 5; ++i) assert.equal((await ask()).status, 402);
  await until(() => lines('spent').length === 1, 'a line that it has run out');
  assert.equal(lines('spent')[0].used, 10);
});

scenario('a refusal alone is told, too', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allow, `prices: [{upstream: api, http: "GET /x", cost: 5 USD}]
budgets: {small: {for: everyone, limit: 1 USD total}}
`),
    upstreams: {api: {http: origin.url()}}
  });
  assert.equal((await call(sidecar.port, 'GET', '/api/x', {token: jordan.token})).status, 402);
  const told = () => sidecar.audit({kind: 'budget'});
  await until(() => told().length === 1, 'a line of the budget');
  const [{state, used, limit, unit, resets}] = told();
  assert.deepEqual(
      {state, used, limit, unit, resets},
      {state: 'spent', used: 0, limit: 1, unit: 'USD', resets: undefined});
});
