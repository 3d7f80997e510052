// A cap is a cap: under concurrent clients, across kill -9 and restarts, and the refusal says how
// much, of what, until when.
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import http from 'node:http';

import {agentEntry, assert, call, long, ok, policyOf, scenario, until} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

const priced = (limit, period = 'day') => `prices:
  - {upstream: api, http: "POST /buy", cost: 0.01 USD}
budgets:
  cap:
    for: {agent: jordan}
    limit: ${limit} per ${period}
`;
const allowApi = '    allow:\n      - {upstream: api}\n';

// `clients` at once, each on its own kept connection, call until `enough` says so; statuses by
// count.
async function hammer(port, token, clients, each) {
  const statuses = {};
  await Promise.all(Array.from({length: clients}, async () => {
    const agent = new http.Agent({keepAlive: true, maxSockets: 1});
    for (let i = 0; i < each; ++i) {
      const answer = await call(port, 'POST', '/api/buy', {token, body: 'x', agent})
                         .catch((error) => ({status: error.code ?? 'error'}));
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    }
    agent.destroy();
  }));
  return statuses;
}

const near = (value, wanted) => Math.abs(value - wanted) < 1e-9;

for (const threads of [1, 4]) {
  scenario(
      `64 clients at once, a cap of 100 calls, ${threads} threads: exactly 100 pass`, async (s) => {
        const origin = await s.origin();
        const jordan = agentEntry('jordan');
        const sidecar = await s.sidecar({
          policy: policyOf([jordan], allowApi, priced('1.00 USD', 'year')),
          upstreams: {api: {http: origin.url()}},
          config: {threads}
        });
        const statuses = await hammer(sidecar.port, jordan.token, 64, 5);
        assert.deepEqual(statuses, {200: 100, 402: 220});
        assert.equal(origin.requests.length, 100);
        await until(
            async () => near(await sidecar.metric('reeve_budget_used', {budget: 'cap'}), 1) &&
                await sidecar.metric('reeve_budget_reserved', {budget: 'cap'}) === 0 &&
                near(await sidecar.metric('reeve_spend_total', {agent: 'jordan'}), 1),
            'all of 1.00 used, spent, and nothing reserved');
        await sidecar.records({decision: 'allow'}, 100);
      });
}

scenario(
    'a refusal for money says the budget, the limit, what is used and when it resets',
    async (s) => {
      const origin = await s.origin();
      const jordan = agentEntry('jordan');
      const sidecar = await s.sidecar({
        policy: policyOf([jordan], allowApi, priced('0.025 USD')),
        upstreams: {api: {http: origin.url()}}
      });
      const buy = () => sidecar.call('POST', '/api/buy', {token: jordan.token});
      assert.deepEqual([(await buy()).status, (await buy()).status], [200, 200]);
      const refused = await buy();
      assert.equal(refused.status, 402);
      assert.equal(refused.headers['content-type'], 'application/problem+json');
      const {status, decision, budget, limit, used, resets} = refused.json;
      assert.deepEqual(
          {status, decision, budget, limit, used},
          {status: 402, decision: 'deny', budget: 'cap', limit: '0.025 USD', used: '0.02 USD'});
      assert.match(resets, /^\d{4}-\d\d-\d\dT00:00:00(\.0+)?Z$/);
      assert.ok(
          Date.parse(resets) > Date.now() && Date.parse(resets) - Date.now() <= 24 * 3600 * 1000);
      assert.equal(
          (await sidecar.call('GET', '/api/free', {token: jordan.token})).status, 200,
          'what costs nothing goes on');
      const [record] = await sidecar.records({call: refused.json.request_id});
      assert.equal(record.decision.reason, 'budget');
      assert.equal(record.outcome.status, 402);
      const paid = await sidecar.records({target: '/buy', decision: 'allow'}, 2);
      assert.deepEqual(
          paid.map(({decision: {reserved}, outcome: {cost}}) => [reserved, cost]),
          [[0.01, 0.01], [0.01, 0.01]]);
    });

scenario('a spent budget on a tool call is a result that a model can read', async (s) => {
  const fixture = await mcpOrigin(s);
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], '    allow:\n      - {upstream: fixture}\n', `prices:
  - {upstream: fixture, tools: add, cost: 0.10 USD}
budgets:
  sums: {for: {each: agent}, limit: 0.20 USD per month}
`),
    upstreams: {fixture: {mcp: fixture.url}}
  });
  const client = new Client({name: 'e2e', version: '1'});
  await client.connect(new StreamableHTTPClientTransport(
      new URL(`http://127.0.0.1:${sidecar.port}/fixture`),
      {requestInit: {headers: {Authorization: `Bearer ${jordan.token}`}}}));
  const add = () => client.callTool({name: 'add', arguments: {a: 1, b: 1}});
  assert.equal((await add()).isError ?? false, false);
  assert.equal((await add()).isError ?? false, false);
  const refused = await add();
  assert.equal(refused.isError, true);
  const {effect, budget, limit, used, resets} = refused._meta['reeve/decision'];
  assert.deepEqual(
      {effect, budget, limit, used},
      {effect: 'budget', budget: 'sums', limit: '0.2 USD', used: '0.2 USD'});
  assert.match(resets, /^\d{4}-\d\d-01T00:00:00/);
  assert.match(refused.content[0].text, /sums/);
  assert.ok(
      refused.content[0].text.includes(resets.slice(0, 10)), 'the text, too, says when it resets');
  assert.equal(fixture.ran.length, 2);
  await client.close();
});

scenario('a budget of calls counts calls, and a call that never left costs nothing', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const gone = await s.origin();
  await gone.close();
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], '    allow:\n      - {upstream: "*"}\n', `prices:
  - {upstream: gone, http: "* /**", cost: 1 USD}
budgets:
  few: {for: everyone, upstream: api, limit: 3 calls per day}
  money: {for: everyone, limit: 1 USD per day}
`),
    upstreams: {api: {http: origin.url()}, gone: {http: gone.url()}}
  });
  gone.close = async () => {};
  for (let i = 0; i < 3; ++i)
    assert.equal((await sidecar.call('GET', '/gone/x', {token: jordan.token})).status, 502);
  const statuses = [];
  for (let i = 0; i < 4; ++i)
    statuses.push((await sidecar.call('GET', '/api/x', {token: jordan.token})).status);
  assert.deepEqual(statuses, [200, 200, 200, 402]);
  assert.equal(await sidecar.metric('reeve_budget_used', {budget: 'money'}), 0);
});

scenario('kill -9 in the middle and a restart: never more than the cap', async (s) => {
  for (let round = 0; round < (long ? 20 : 3); ++round) {
    let kill;
    const origin = await s.origin((request, response) => {
      if (origin.requests.length === 10 + 13 * (round % 5)) kill();
      ok(request, response);
    });
    const jordan = agentEntry('jordan');
    const wiring = await s.configure({
      policy: policyOf([jordan], allowApi, priced('1.00 USD', 'month')),
      upstreams: {api: {http: origin.url()}}
    });
    const first = await s.launch(wiring).ready();
    kill = () => first.signal('SIGKILL');
    const before = await hammer(first.port, jordan.token, 64, 2);
    assert.deepEqual(await first.ended, {code: null, signal: 'SIGKILL'});
    const reached = origin.requests.length;
    assert.ok(reached < 100, `killed in the middle: ${JSON.stringify(before)}`);

    const second = await s.launch(wiring).ready();
    const after = await hammer(second.port, jordan.token, 64, 3);
    assert.ok(
        origin.requests.length <= 100, `${origin.requests.length} calls reached the upstream`);
    assert.ok(origin.requests.length - reached >= (after[200] ?? 0));
    assert.ok(after[402] > 0);

    // What a crash may cost: the calls in flight, which may have run (at most 64), and the rest of
    // a slice written ahead (at most an eighth).
    assert.ok(
        origin.requests.length >= 100 - 64 - 13,
        `a crash cost ${100 - origin.requests.length} calls of 100`);

    // A restart in good order forgets nothing either.
    await second.stop();
    const third = await s.launch(wiring).ready();
    await hammer(third.port, jordan.token, 8, 15);
    assert.ok(
        origin.requests.length <= 100, `${origin.requests.length} calls reached the upstream`);
  }
});

scenario('a clean restart keeps what was spent, to the call', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const wiring = await s.configure({
    policy: policyOf([jordan], allowApi, priced('0.10 USD', 'month')),
    upstreams: {api: {http: origin.url()}}
  });
  for (const statuses of [{200: 4}, {200: 4}, {200: 2, 402: 2}]) {
    const sidecar = await s.launch(wiring).ready();
    assert.deepEqual(await hammer(sidecar.port, jordan.token, 1, 4), statuses);
    assert.equal((await sidecar.stop()).code, 0);
  }
  assert.equal(origin.requests.length, 10);
});
