// Prices from the result: the most is reserved, what the server says is settled, and what it does
// not say, or says in another form, is charged in full.
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport} from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import {admin} from './approvals.mjs';
import {agentEntry, assert, policyOf, scenario, until} from './lib.mjs';
import {scripted} from './scripted_mcp.mjs';

const jordan = agentEntry('jordan');
const allow = '    allow:\n      - {upstream: "*"}\n';

async function spent(sidecar, wanted) {
  await until(async () => {
    const {budgets} = JSON.parse((await admin(sidecar, 'GET', '/v1/budgets')).body);
    return budgets[0].reserved === '0' && budgets[0].used === wanted;
  }, `${wanted} used`);
}

// What an HTTP body says, and what is charged.
const bodies = [
  ['{"usage":{"cost":0.25}}', 0.25],
  ['{"usage":{"cost":0}}', 0],
  ['{"usage":{"cost":1}}', 1],
  ['{"usage":{"cost":25e-2}}', 0.25],
  ['{"usage":{"cost":0.0000001}}', 0.000001],
  ['{"usage":{"cost":1.000001}}', 1],
  ['{"usage":{"cost":1e400}}', 1],
  ['{"usage":{"cost":-1}}', 1],
  ['{"usage":{"cost":"0.25"}}', 1],
  ['{"usage":{"cost":null}}', 1],
  ['{"usage":{"cost":[0.25]}}', 1],
  ['{"usage":{"cost":NaN}}', 1],
  ['{"usage":{"cost":0.25,"Cost":0.1}}', 1],
  ['{"usage":{"cost":0.25,"cost":0.1}}', 1],
  ['{"usage":{}}', 1],
  ['[]', 1],
  ['', 1],
  ['{"usage":{"cost":0.25}', 1],
  ['{"usage":{"cost":0.25}}', 1, {'Content-Type': 'text/plain'}],
  ['{"usage":{"cost":0.25}}', 1, {'Content-Type': 'application/json', 'Content-Encoding': 'gzip'}],
];

scenario('an HTTP answer says what it cost, or is charged in full', async (s) => {
  let next;
  const origin = await s.origin((request, response) => {
    const [body, , headers] = next;
    response.writeHead(200, headers ?? {'Content-Type': 'application/json; charset=utf-8'});
    response.end(body);
  });
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allow, `prices:
  - {upstream: api, http: "POST /ask", cost: {from: result.usage.cost, reserve: 1 USD}}
budgets: {all: {for: everyone, limit: 1000 USD per year}}
`),
    upstreams: {api: {http: origin.url()}}
  });
  let micros = 0;
  for (next of bodies) {
    const answer = await sidecar.call('POST', '/api/ask', {token: jordan.token, body: 'x'});
    assert.equal(answer.status, 200);
    assert.equal(answer.body, next[0], 'it passes as it came');
    micros += Math.round(next[1] * 1e6);
    await spent(sidecar, String(micros / 1e6));
  }
  assert.ok(origin.requests.every((each) => each.headers['accept-encoding'] === 'identity'));
  const records = await sidecar.records({target: '/ask'}, bodies.length);
  records.forEach(({decision, outcome}, i) => {
    assert.equal(decision.reserved, 1);
    assert.equal(outcome.cost, bodies[i][1], bodies[i][0]);
    const told = outcome.unmeasured === undefined;
    assert.equal(told, bodies[i][1] !== 1 || i === 2, bodies[i][0]);
  });
});

scenario(
    'what is reserved caps what runs at once, and an answer cut off is charged in full',
    async (s) => {
      const held = [];
      const origin = await s.origin((request, response) => held.push(response));
      const sidecar = await s.sidecar({
        policy: policyOf([jordan], allow, `prices:
  - {upstream: api, http: "POST /ask", cost: {from: result.cost, reserve: 1 USD}}
budgets: {all: {for: everyone, limit: 2 USD per year}}
`),
        upstreams: {api: {http: origin.url()}}
      });
      const ask = () => sidecar.call('POST', '/api/ask', {token: jordan.token, body: 'x'});
      const both = [ask(), ask()];
      await until(() => held.length === 2, 'both');
      assert.equal((await ask()).status, 402);
      held[0].writeHead(200, {'Content-Type': 'application/json'});
      held[0].end('{"cost":0.5}');
      held[1].writeHead(200, {'Content-Type': 'application/json', 'Content-Length': 100});
      held[1].write('{"cost":0.1}');
      await until(() => sidecar.audit({kind: 'outcome', status: 200}).length >= 1, 'the first');
      held[1].socket.destroy();
      await Promise.allSettled(both);
      await spent(sidecar, '1.5');
    });

// What an MCP server answers to a call, and what is charged; `events` come first, on a stream.
const text = [{type: 'text', text: 'found'}];
const results = [
  [{content: text, _meta: {cost: 0.02}}, 0.02],
  [
    {content: text, _meta: {cost: 0.03}}, 0.03,
    [{method: 'notifications/message', params: {level: 'info', data: 'x'}}]
  ],
  [{content: text, isError: true, _meta: {cost: 0}}, 0],
  [{content: text}, 0.05],
  [{content: text, _meta: {cost: 0.06}}, 0.05],
  [{content: text, _meta: {cost: '0.01'}}, 0.05],
  [{content: text, structuredContent: {_meta: {cost: 0.01}}}, 0.05],
  // Another call's answer says nothing about this one.
  [{content: text}, 0.05, [{id: 4711, result: {content: text, _meta: {cost: 0.01}}}]],
];

scenario('the result of a tool says what it cost, or it is charged in full', async (s) => {
  let next;
  const server = await scripted(s, {
    'tools/call': (message, say) => {
      for (const event of next[2] ?? []) say({jsonrpc: '2.0', ...event});
      return next[0];
    }
  });
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allow, `prices:
  - {upstream: search, tools: "*", cost: {from: result._meta.cost, reserve: 0.05 USD}}
budgets: {all: {for: everyone, limit: 1000 USD per year}}
`),
    upstreams: {search: {mcp: server.url}}
  });
  const client = new Client({name: 'e2e', version: '1'});
  await client.connect(new StreamableHTTPClientTransport(
      new URL(`http://127.0.0.1:${sidecar.port}/search`),
      {requestInit: {headers: {Authorization: `Bearer ${jordan.token}`}}}));
  let micros = 0;
  for (next of results) {
    const result = await client.callTool({name: 'find', arguments: {q: 'x'}});
    assert.deepEqual(result.content, text);
    micros += Math.round(next[1] * 1e6);
    await spent(sidecar, String(micros / 1e6));
  }
  await client.close();
});

scenario(
    'where another price may apply, the result alone does not say what it costs', async (s) => {
      const origin = await s.origin((request, response) => {
        response.writeHead(200, {'Content-Type': 'application/json'});
        response.end('{"cost":0.1}');
      });
      const sidecar = await s.sidecar({
        policy: policyOf([jordan], allow, `prices:
  - {upstream: api, http: "POST /ask", cost: 1 USD, when: {args.deep: true}}
  - {upstream: api, http: "POST /ask", cost: {from: result.cost, reserve: 2 USD}}
budgets: {all: {for: everyone, limit: 1000 USD per year}}
`),
        upstreams: {api: {http: origin.url()}}
      });
      const ask = (body) => sidecar.call('POST', '/api/ask', {token: jordan.token, body});
      await ask({deep: false});
      await spent(sidecar, '0.1');
      await ask({});  // whether it is deep is in doubt
      await spent(sidecar, '2.1');
    });
