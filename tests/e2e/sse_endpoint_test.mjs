// Agents that speak only HTTP+SSE (2024-11-05): the official client, and what hostile ones try.
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {SSEClientTransport} from '@modelcontextprotocol/sdk/client/sse.js';
import {LoggingMessageNotificationSchema} from '@modelcontextprotocol/sdk/types.js';

import {agentEntry, allowAll, assert, policyOf, scenario, until} from './lib.mjs';
import {scripted, text, tool} from './scripted_mcp.mjs';
import {agents} from './stops.mjs';

const jordan = agentEntry('jordan'), robin = agentEntry('robin');

async function connect(sidecar, path, token) {
  const client = new Client({name: 'e2e', version: '1'});
  const transport = new SSEClientTransport(
      new URL(`http://127.0.0.1:${sidecar.port}${path}`),
      {requestInit: {headers: {Authorization: `Bearer ${token}`}}});
  await client.connect(transport);
  return client;
}

// A stream, and what came on it.
async function open(sidecar, path, token) {
  const {response, status, headers} = await sidecar.call(
      'GET', path, {token, stream: true, headers: {Accept: 'text/event-stream'}});
  const stream =
      {status, headers, seen: '', ended: false, response, close: () => response.destroy()};
  response.on('error', () => {});
  response.on('close', () => {
    stream.ended = true;
  });
  response.on('data', (data) => {
    stream.seen += data;
  });
  if (status !== 200) return stream;
  await until(() => /event: endpoint\ndata: (\S+)\n\n/.test(stream.seen), 'the endpoint');
  stream.endpoint = /data: (\S+)/.exec(stream.seen)[1];
  return stream;
}
const post = (sidecar, endpoint, token, message) => sidecar.call('POST', endpoint, {
  token,
  body: typeof message === 'string' ? message : {jsonrpc: '2.0', ...message},
  headers: {'Content-Type': 'application/json'}
});
const call = (id, name = 'run') => ({id, method: 'tools/call', params: {name, arguments: {}}});

for (const path of ['/everything/sse', '/mcp/sse']) {
  scenario(`the official client on ${path}`, async (s) => {
    const {url} = await s.everything();
    const sidecar = await s.sidecar({
      policy: policyOf(
          [jordan, robin],
          '    allow:\n      - {id: some, upstream: everything, tools: [echo, get-sum]}\n'),
      upstreams: {everything: {mcp: url}}
    });
    const prefix = path === '/mcp/sse' ? 'everything__' : '';
    const client = await connect(sidecar, path, jordan.token);
    const {tools} = await client.listTools();
    assert.deepEqual(tools.map((each) => each.name).sort(), [`${prefix}echo`, `${prefix}get-sum`]);
    const said = async (name, args) => client.callTool({name: prefix + name, arguments: args});
    const several =
        await Promise.all(['a', 'b', 'c', 'd'].map((message) => said('echo', {message})));
    assert.deepEqual(
        several.map((each) => each.content[0].text),
        ['a', 'b', 'c', 'd'].map((message) => `Echo: ${message}`));
    const denied = await said('get-env', {});
    assert.equal(denied.isError, true);
    assert.match(denied.content[0].text, /Denied/);
    const records = await sidecar.records({agent: 'jordan', action: 'tools/call'}, 5);
    assert.deepEqual(
        records.map(({decision}) => decision.decision).sort(),
        ['allow', 'allow', 'allow', 'allow', 'deny']);
    assert.ok(records.every(({decision}) => decision.upstream === 'everything'));
    await client.close();
    // The stream has lines of its own, and its session at the server ends with it.
    const [{decision}] =
        await sidecar.records({agent: 'jordan', action: 'GET', session: undefined});
    assert.equal(decision.decision, 'allow');
    await sidecar.records({agent: 'jordan', action: 'DELETE'});
  });
}

scenario('a session is its agent\'s, and ends with its stream', async (s) => {
  const crm = await scripted(
      s, {'tools/list': () => ({tools: [tool('run')]}), 'tools/call': () => text('ran')});
  const sidecar = await s.sidecar({
    policy: policyOf([jordan, robin], allowAll('crm')),
    upstreams: {crm: {mcp: crm.url}, kb: {mcp: crm.url}}
  });
  const own = await open(sidecar, '/crm/sse', jordan.token);
  const others = await open(sidecar, '/crm/sse', robin.token);
  assert.match(own.endpoint, /^\/crm\/sse\?session=[0-9a-f]{32}$/);
  assert.notEqual(own.endpoint, others.endpoint);
  const refused = [
    [robin.token, own.endpoint, 404], [jordan.token, others.endpoint, 404],
    [jordan.token, own.endpoint.replace('/crm', '/kb'), 404],
    [jordan.token, own.endpoint.replace('/crm', '/mcp'), 404], [jordan.token, '/crm/sse', 404],
    [jordan.token, '/crm/sse?session=', 404], [jordan.token, `${own.endpoint}0`, 404],
    [jordan.token, `${own.endpoint}&session=x`, 404], [undefined, own.endpoint, 401],
    ['nobody', own.endpoint, 401]
  ];
  for (const [token, endpoint, status] of refused) {
    assert.equal((await post(sidecar, endpoint, token, call(1))).status, status, endpoint);
  }
  assert.equal(crm.requests.length, 0);
  const {status, body} = await post(sidecar, own.endpoint, jordan.token, call(1));
  assert.deepEqual([status, body], [202, '']);
  await until(() => own.seen.includes('ran'), 'the answer');
  assert.ok(!others.seen.includes('ran'));
  // What is no message is said on the stream, and reaches nobody.
  for (const bad of ['{', `[${JSON.stringify(call(2))}]`, '{"id":1,"id":2,"method":"ping"}']) {
    assert.equal((await post(sidecar, own.endpoint, jordan.token, bad)).status, 202);
  }
  await until(() => own.seen.split('-32700').length === 4, 'three errors');
  assert.equal(crm.messages('tools/call').length, 1);
  own.close();
  await until(
      async () => (await post(sidecar, own.endpoint, jordan.token, call(3))).status === 404,
      'the session\'s end');
  others.close();
});

scenario('an agent that was stopped opens no stream', async (s) => {
  const crm = await scripted(
      s, {'tools/list': () => ({tools: [tool('run')]}), 'tools/call': () => text('ran')});
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan, robin], allowAll('crm')), upstreams: {crm: {mcp: crm.url}}});
  const own = await open(sidecar, '/crm/sse', jordan.token);
  assert.equal((await agents(sidecar, 'stop', 'jordan')).code, 0);
  await until(() => own.ended, 'the stream\'s end');
  for (const path of ['/crm/sse', '/mcp/sse']) {
    assert.equal((await open(sidecar, path, jordan.token)).status, 403, path);
  }
  assert.equal((await post(sidecar, own.endpoint, jordan.token, call(1))).status, 404);
  assert.equal(crm.messages('tools/call').length, 0);
  const others = await open(sidecar, '/crm/sse', robin.token);
  assert.equal(others.status, 200);
  others.close();
  assert.equal((await agents(sidecar, 'resume', 'jordan')).code, 0);
  const again = await open(sidecar, '/crm/sse', jordan.token);
  assert.equal(again.status, 200);
  again.close();
});

scenario('who may not, and what is no request of this transport', async (s) => {
  const crm = await scripted(s, {});
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], '    allow:\n      - {upstream: crm, tools: run}\n'),
    upstreams: {crm: {mcp: crm.url}, kb: {mcp: crm.url}, web: {http: crm.url}}
  });
  const ask = async (method, path, {
    token = jordan.token,
    headers =
    {
      Accept: 'text/event-stream'
    }
  } = {}) => (await sidecar.call(method, path, {token, headers})).status;
  assert.equal(await ask('GET', '/kb/sse'), 403);
  assert.equal(await ask('GET', '/crm/sse', {headers: {Accept: 'application/json'}}), 406);
  assert.equal(await ask('DELETE', '/crm/sse'), 405);
  assert.equal(await ask('GET', '/crm/sse', {token: 'nobody'}), 401);
  assert.equal(
      await ask('GET', '/crm/sse', {headers: {Accept: '*/*', Origin: 'http://evil.example'}}), 403);
  assert.equal(await ask('GET', '/none/sse'), 404);
  assert.equal(await ask('GET', '/web/sse'), 403, 'a path of an HTTP upstream like any other');
  assert.equal(crm.requests.length, 0);
});

scenario('floods, large messages, and those who do not read or hang up', async (s) => {
  const held = [];
  const crm = await scripted(s, {
    'tools/call': ({id, params}, say, response) => {
      if (params.name === 'hold') return void held.push({id, response});
      return text(params.name === 'large' ? 'x'.repeat(40_000) : 'ran');
    }
  });
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allowAll('crm')),
    upstreams: {crm: {mcp: crm.url}},
    config: {limits: {drain: '2s', body_bytes: '64KB'}}
  });
  const stream = await open(sidecar, '/crm/sse', jordan.token);
  const large = await post(
      sidecar, stream.endpoint, jordan.token,
      {id: 1, method: 'tools/call', params: {name: 'run', arguments: {x: 'x'.repeat(70_000)}}});
  assert.equal(large.status, 413);
  // More than may be under way: each beyond is told so, or not taken.
  const answers = await Promise.all(Array.from(
      {length: 80}, (_, id) => post(sidecar, stream.endpoint, jordan.token, call(id, 'hold'))));
  const taken = answers.filter((each) => each.status === 202).length;
  assert.ok(answers.every((each) => each.status === 202 || each.status === 429));
  await until(
      () => held.length + stream.seen.split('too many requests').length - 1 === taken,
      'all of them');
  assert.ok(held.length <= 32);
  // One that hangs up leaves nothing behind: its calls are over, and so is its session at the
  // server.
  stream.close();
  await until(() => held.every(({response}) => response.destroyed), 'the calls\' end');

  // One that does not read its stream loses it, and reeve keeps no more than a message or two.
  const deaf = await open(sidecar, '/crm/sse', jordan.token);
  deaf.response.pause();
  // What the kernel holds for it is filled first.
  await until(async () => {
    const several = await Promise.all(Array.from(
        {length: 24}, (_, id) => post(sidecar, deaf.endpoint, jordan.token, call(id, 'large'))));
    return several.some(({status}) => status === 404);
  }, 'the end of its session');
  deaf.close();
  const next = await open(sidecar, '/crm/sse', jordan.token);
  await post(sidecar, next.endpoint, jordan.token, call(1));
  await until(() => next.seen.includes('ran'), 'the next');
  next.close();
});

scenario('what a server says unasked comes on the stream, also to its end', async (s) => {
  const crm = await scripted(s, {});
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], allowAll('crm')), upstreams: {crm: {mcp: crm.url}}});
  const client = await connect(sidecar, '/crm/sse', jordan.token);
  const heard = [];
  client.setNotificationHandler(
      LoggingMessageNotificationSchema, ({params}) => void heard.push(params.data));
  await until(() => crm.streams.length === 1, 'the stream at the server');
  crm.push({jsonrpc: '2.0', id: 99, result: text('forged')});
  crm.push(
      {jsonrpc: '2.0', method: 'notifications/message', params: {level: 'info', data: 'hello'}});
  await until(() => heard.length === 1, 'it');
  assert.deepEqual(heard, ['hello']);
  const {code} = await sidecar.stop();  // an open stream does not keep it
  assert.equal(code, 0);
  await client.close();
});
