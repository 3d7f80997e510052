// Limits: calls per time, at once, repeats of the same call, steps of a session; what a refusal
// says to HTTP and to MCP clients, and what is not counted.
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport} from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import {agentEntry, assert, ok, policyOf, scenario, until} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

const limited = (limits) => `    allow:\n      - {upstream: "*"}\n    limits: [${limits}]\n`;

async function start(s, limits, more = '', handler = ok) {
  const origin = await s.origin(handler);
  const jordan = agentEntry('jordan');
  const robin = agentEntry('robin');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan, robin], limited(limits), more),
    upstreams: {api: {http: origin.url()}}
  });
  const as = (agent) => (method, path, more = {}) =>
      sidecar.call(method, path, {token: agent.token, ...more});
  return {origin, sidecar, jordan, call: as (jordan), other: as (robin)};
}

scenario('calls per time: 429 says which limit and when; another agent goes on', async (s) => {
  const {origin, sidecar, call, other} = await start(s, '3 calls per hour');
  for (let i = 0; i < 3; ++i) assert.equal((await call('GET', '/api/a')).status, 200);
  const refused = await call('GET', '/api/a');
  assert.equal(refused.status, 429);
  assert.equal(refused.json.title, 'Limit reached');
  assert.equal(refused.json.limit, '3 calls per hour');
  const wait = Number(refused.headers['retry-after']);
  assert.ok(wait > 3500 && wait <= 3600, `Retry-After ${wait}`);
  assert.match(refused.json.detail, /limit of 3 calls per hour is reached; try again in \d+ s/);
  assert.ok(Date.parse(refused.json.resets) > Date.now());
  assert.equal((await other('GET', '/api/a')).status, 200);
  assert.equal(origin.requests.length, 4);
  const [record] = await sidecar.records({call: refused.json.request_id});
  assert.equal(record.decision.reason, 'limit');
  assert.equal(record.decision.limit, '3 calls per hour');
  assert.equal(record.outcome.status, 429);
});

scenario('a window slides on', async (s) => {
  const {call} = await start(s, '2 calls per 1s');
  const statuses = new Set();
  await until(async () => {
    statuses.add((await call('GET', '/api/a')).status);
    return statuses.size === 2;
  }, 'a refusal');
  await until(async () => (await call('GET', '/api/a')).status === 200, 'an opening');
});

scenario('repeats: the same call with the same body, and no other', async (s) => {
  const {call, origin} = await start(s, '2 repeats per 10m');
  const post = (body, path = '/api/a') => call('POST', path, {body}).then(({status}) => status);
  assert.deepEqual([await post('x'), await post('x'), await post('x')], [200, 200, 429]);
  assert.deepEqual(
      [await post('y'), await post('x', '/api/b'), await post('x', '/api/a?q')], [200, 200, 200]);
  assert.equal(await post('x'), 429);
  assert.equal(origin.requests.at(-1).body, 'x');
});

scenario('at once: a place is free when its call has ended', async (s) => {
  let release;
  const handler = (request, response) => {
    if (request.url !== '/slow') return ok(request, response);
    release = () => response.end('done');
  };
  const {call} = await start(s, '1 concurrent', '', handler);
  const held = call('GET', '/api/slow');
  await until(() => release !== undefined, 'the call at the origin');
  const refused = await call('GET', '/api/b');
  assert.equal(refused.status, 429);
  assert.equal(refused.headers['retry-after'], '1');
  release();
  assert.equal((await held).status, 200);
  await until(async () => (await call('GET', '/api/b')).status === 200, 'the place');
});

scenario('steps: of a trace, else of a connection', async (s) => {
  const {call} = await start(s, '2 steps per session');
  const trace = (digit) =>
      ({headers: {traceparent: `00-${digit.repeat(32)}-${'2'.repeat(16)}-01`}});
  const step = async (digit) => (await call('GET', '/api/a', trace(digit))).status;
  assert.deepEqual([await step('1'), await step('1'), await step('1')], [200, 200, 429]);
  assert.equal(await step('3'), 200);
  const last = await call('GET', '/api/a', trace('1'));
  assert.equal(last.headers['retry-after'], undefined);
  assert.match(last.json.detail, /this session may do no more/);
});

scenario('report mode lets through and records', async (s) => {
  const {call, sidecar} = await start(s, '1 calls per hour', 'mode: report\n');
  assert.equal((await call('GET', '/api/a')).status, 200);
  assert.equal((await call('GET', '/api/b')).status, 200);
  const [record] = await sidecar.records({target: '/b'});
  assert.deepEqual([record.decision.reason, record.decision.limit], ['limit', '1 calls per hour']);
});

scenario(
    'an MCP client is told by a result when to try again; the protocol is not counted',
    async (s) => {
      const origin = await mcpOrigin(s);
      const jordan = agentEntry('jordan');
      const sidecar = await s.sidecar({
        policy: policyOf([jordan], limited('2 calls per hour')),
        upstreams: {tools: {mcp: origin.url}}
      });
      const client = new Client({name: 'limits-test', version: '1'});
      await client.connect(new StreamableHTTPClientTransport(
          new URL(`http://127.0.0.1:${sidecar.port}/tools`),
          {requestInit: {headers: {authorization: `Bearer ${jordan.token}`}}}));
      for (let i = 0; i < 3; ++i) await client.ping();
      const {tools} = await client.listTools();
      const use = () =>
          client.callTool({name: tools.find(({name}) => name === 'drop').name, arguments: {}})
              .catch((error) => error);
      await use();
      await use();
      const refused = await use();
      assert.equal(refused.isError, true);
      assert.match(
          refused.content[0].text, /limit of 2 calls per hour is reached; try again in \d+ s\.$/);
      const decision = refused._meta['reeve/decision'];
      assert.equal(decision.effect, 'limit');
      assert.equal(decision.limit, '2 calls per hour');
      await client.ping();
      await client.close();
    });
