// `mode: report`: what the policy would refuse goes through and is recorded and counted as what it
// would have been; what no policy may let through is refused all the same. On one rule: the rest
// decides, and the record says what the rule would have done.
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport} from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import {agentEntry, assert, policyOf, scenario} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

const rules = `    allow:
      - {id: read, upstream: api, http: "GET /**"}
      - {id: add, upstream: tools, tools: add}
    deny:
      - {id: never, upstream: api, http: "* /never/**", because: Nobody goes there}
`;

scenario(
    'a policy in report mode refuses nothing, and records and counts what it would', async (s) => {
      const origin = await s.origin();
      const server = await mcpOrigin(s);
      const jordan = agentEntry('jordan', {more: '    budget: 2 calls per day\n'});
      const sid = agentEntry('sid', {more: '    status: suspended\n'});
      const sidecar = await s.sidecar({
        policy: `mode: report\n${policyOf([jordan, sid], rules)}`,
        upstreams: {api: {http: origin.url()}, tools: {mcp: server.url}}
      });
      const get = async (path, token = jordan.token, method = 'GET') =>
          (await sidecar.call(method, path, {token})).status;

      assert.equal(await get('/api/a'), 200);
      assert.equal(await get('/api/never/a'), 200);
      assert.equal(
          await get('/api/a', jordan.token, 'POST'), 200);  // by default; over the budget too
      assert.equal(await get('/api/b'), 200);               // over the budget alone
      assert.deepEqual(
          origin.requests.map(({method, url}) => `${method} ${url}`),
          ['GET /a', 'GET /never/a', 'POST /a', 'GET /b']);

      const lines = await sidecar.records({upstream: 'api'}, 4);
      assert.deepEqual(
          lines.map(
              ({decision}) => [decision.decision, decision.reason, decision.rule, decision.mode]),
          [
            ['allow', 'rule', 'read', 'report'], ['deny', 'rule', 'never', 'report'],
            ['deny', 'default', undefined, 'report'], ['deny', 'budget', 'read', 'report']
          ]);
      assert.equal(lines[3].decision.budget, 'agent:jordan');
      assert.ok(lines.every(({outcome}) => outcome.status === 200 && 'upstream_ms' in outcome));
      assert.equal(
          await sidecar.metric(
              'reeve_calls_total', {agent: 'jordan', upstream: 'api', decision: 'deny'}),
          3);

      // Lists hide nothing, and a tool that no rule allows runs.
      const client = new Client({name: 'test', version: '1'});
      await client.connect(new StreamableHTTPClientTransport(
          new URL(`http://127.0.0.1:${sidecar.port}/tools`),
          {requestInit: {headers: {Authorization: `Bearer ${jordan.token}`}}}));
      const {tools} = await client.listTools();
      assert.deepEqual(tools.map(({name}) => name).sort(), ['add', 'drop']);
      await client.callTool({name: 'drop', arguments: {}});
      await client.close();
      assert.deepEqual(server.ran, [{tool: 'drop', args: {}}]);
      const [{decision}] = await sidecar.records({upstream: 'tools', target: 'drop'});
      assert.deepEqual([decision.decision, decision.reason], ['deny', 'default']);

      // Never: nobody proven, a suspended agent, a malformed call.
      const before = origin.requests.length;
      assert.equal(await get('/api/a', 'no-such-token'), 401);
      assert.equal(await get('/api/a', sid.token), 403);
      assert.equal(await get('/api/a/%2e%2e/b'), 400);
      assert.equal(origin.requests.length, before);
    });

scenario('a rule in report mode decides nothing and is named in the record', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], `    allow:
      - {id: read, upstream: api, http: "GET /**"}
      - {id: soon, mode: report, upstream: api, http: "POST /**"}
    deny:
      - {id: trial, mode: report, upstream: api, http: "* /old/**"}
`),
    upstreams: {api: {http: origin.url()}}
  });
  const get = async (path, method = 'GET') =>
      (await sidecar.call(method, path, {token: jordan.token})).status;
  assert.equal(await get('/api/old/a'), 200);
  assert.equal(await get('/api/new/a'), 200);
  assert.equal(await get('/api/new/a', 'POST'), 403);
  const lines = await sidecar.records({upstream: 'api'}, 3);
  assert.deepEqual(
      lines.map(({decision: d}) => [d.decision, d.mode, d.reported, d.reported_rule]), [
        ['allow', 'report', 'deny', 'trial'], ['allow', undefined, undefined, undefined],
        ['deny', 'report', 'allow', 'soon']
      ]);
});
