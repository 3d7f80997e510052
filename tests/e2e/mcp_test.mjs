// MCP with the official clients of both lines and real servers: calls, refusals that a model can
// act on, filtered lists, and messages that are refused before any rule is asked.
import {Client as ModernClient, StreamableHTTPClientTransport as ModernHttp} from '@modelcontextprotocol/client';
import {Client as LegacyClient} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport as LegacyHttp} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {join} from 'node:path';

import {agentEntry, assert, newToken, policyOf, reeve, scenario} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

const clients = {
  'sdk 1.32': (url, token) =>
      connect(new LegacyClient({name: 'e2e', version: '1'}), LegacyHttp, url, token),
  'client 2.4, legacy': (url, token) =>
      connect(new ModernClient({name: 'e2e', version: '1'}), ModernHttp, url, token),
  'client 2.4, auto': (url, token) => connect(
      new ModernClient({name: 'e2e', version: '1'}, {versionNegotiation: {mode: 'auto'}}),
      ModernHttp, url, token),
};

async function connect(client, Transport, url, token) {
  await client.connect(
      new Transport(new URL(url), {requestInit: {headers: {Authorization: `Bearer ${token}`}}}));
  return client;
}

const everythingRules = `    allow:
      - {id: some, upstream: everything, tools: [echo, get-sum, "trigger-*"]}
    deny:
      - {id: no-env, upstream: everything, tools: get-env, because: It shows secrets}
`;

for (const [name, open] of Object.entries(clients)) {
  scenario(`${name} with server-everything`, async (s) => {
    const everything = await s.everything();
    const jordan = agentEntry('jordan');
    const sidecar = await s.sidecar({
      policy: policyOf([jordan], everythingRules),
      upstreams: {everything: {mcp: everything.url}}
    });
    const client = await open(`http://127.0.0.1:${sidecar.port}/everything`, jordan.token);

    const {tools} = await client.listTools();
    assert.deepEqual(
        tools.map((tool) => tool.name).sort(),
        ['echo', 'get-sum', 'trigger-long-running-operation']);
    const echoed = await client.callTool({name: 'echo', arguments: {message: 'hi "there" \u2603'}});
    assert.equal(echoed.content[0].text, 'Echo: hi "there" \u2603');

    const denied = await client.callTool({name: 'get-env', arguments: {}});
    assert.equal(denied.isError, true);
    assert.match(denied.content[0].text, /no-env/);
    assert.match(denied.content[0].text, /It shows secrets/);
    assert.equal(denied._meta['reeve/decision'].effect, 'deny');
    assert.equal(denied._meta['reeve/decision'].rule, 'no-env');
    assert.equal(denied.structuredContent, undefined);
    const unnamed = await client.callTool({name: 'get-tiny-image', arguments: {}});
    assert.equal(unnamed.isError, true, 'no rule allows it');
    assert.equal(
        (await client.callTool({name: 'get-sum', arguments: {a: 2, b: 3}})).isError ?? false, false,
        'the session goes on');

    const records = await sidecar.records({action: 'tools/call'}, 4);
    assert.deepEqual(
        records.map(
            ({decision}) => [decision.target, decision.decision, decision.rule ?? decision.reason]),
        [
          ['echo', 'allow', 'some'],
          ['get-env', 'deny', 'no-env'],
          ['get-tiny-image', 'deny', 'default'],
          ['get-sum', 'allow', 'some'],
        ]);
    assert.match(records[0].decision.args_sha256, /^[0-9a-f]{64}$/);
    await client.close();
  });
}

scenario('a session is nothing to another agent', async (s) => {
  const everything = await s.everything();
  const jordan = agentEntry('jordan'), robin = agentEntry('robin');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan, robin], everythingRules),
    upstreams: {everything: {mcp: everything.url}}
  });
  const url = `http://127.0.0.1:${sidecar.port}/everything`;
  const client = await clients['sdk 1.32'](url, jordan.token);
  const session = client.transport.sessionId;
  assert.ok(session);
  const list = (token, method = 'POST') => fetch(url, {
    method,
    headers: {
      'Authorization': `Bearer ${token}`,
      'Content-Type': 'application/json',
      'Accept': 'application/json, text/event-stream',
      'Mcp-Session-Id': session,
      'MCP-Protocol-Version': '2025-11-25'
    },
    body: method === 'POST' ? '{"jsonrpc":"2.0","id":7,"method":"tools/list"}' : undefined
  });
  const stolen = await list(robin.token);
  assert.equal(stolen.status, 404);
  assert.equal((await stolen.json()).id, 7);
  assert.equal((await list(robin.token, 'DELETE')).status, 404);
  const own = await list(jordan.token);
  assert.equal(own.status, 200, 'it goes on for its own agent');
  await own.text();
  await client.close();
});

scenario('progress arrives while a call runs', async (s) => {
  const everything = await s.everything();
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], everythingRules),
    upstreams: {everything: {mcp: everything.url}}
  });
  const client =
      await clients['sdk 1.32'](`http://127.0.0.1:${sidecar.port}/everything`, jordan.token);
  const steps = [];
  await client.callTool(
      {name: 'trigger-long-running-operation', arguments: {duration: 1, steps: 4}}, undefined,
      {onprogress: (progress) => steps.push(progress.progress)});
  assert.ok(steps.length >= 3, `progress: ${steps}`);
  await client.close();
});

const fixtureRules = `    allow:
      - {id: adding, upstream: fixture, tools: add}
      - {id: notes, upstream: fixture, resources: "note://open/*"}
`;

async function startFixture(s, rules = fixtureRules) {
  const fixture = await mcpOrigin(s);
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], rules), upstreams: {fixture: {mcp: fixture.url}}});
  return {fixture, sidecar, token: jordan.token, url: `http://127.0.0.1:${sidecar.port}/fixture`};
}

for (const [name, open] of Object.entries(clients)) {
  scenario(`${name} with a server of both eras`, async (s) => {
    const {fixture, token, url} = await startFixture(s);
    const client = await open(url, token);
    assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), ['add']);
    assert.equal(
        (await client.callTool({name: 'add', arguments: {a: 20, b: 22}})).content[0].text, '42');
    assert.equal((await client.callTool({name: 'drop', arguments: {}})).isError, true);
    assert.deepEqual(
        (await client.listResources()).resources.map((each) => each.uri), ['note://open/1']);
    assert.equal((await client.readResource({uri: 'note://open/1'})).contents[0].text, 'open note');
    await assert.rejects(
        client.readResource({uri: 'note://secret/1'}), (error) => error.code === 403);
    assert.deepEqual(fixture.ran, [{tool: 'add', args: {a: 20, b: 22}}]);
    for (const headers of fixture.requests) assert.ok(!JSON.stringify(headers).includes(token));
    await client.close();
  });
}

const modern = {
  'MCP-Protocol-Version': '2026-07-28',
  'Mcp-Method': 'tools/call',
  'Mcp-Name': 'add'
};
const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': {name: 'e2e', version: '1'},
  'io.modelcontextprotocol/clientCapabilities': {}
};

scenario(
    'the modern era: the body decides, and headers that say otherwise are refused', async (s) => {
      const {fixture, sidecar, token} = await startFixture(s);
      const send = (name, headers = {}) => sidecar.rpc(
          '/fixture', {
            jsonrpc: '2.0',
            id: 7,
            method: 'tools/call',
            params: {name, arguments: {a: 1, b: 2}, _meta: meta}
          },
          {token, headers: {...modern, ...headers}});
      const good = await send('add');
      assert.equal(good.json.result.content[0].text, '3');
      const denied = await send('drop', {'Mcp-Name': 'drop'});
      assert.equal(denied.json.result.isError, true);
      assert.equal(denied.json.result.resultType, 'complete');
      assert.equal(denied.json.id, 7);
      for (const headers
               of [{'Mcp-Name': 'other'}, {'Mcp-Method': 'tools/list'},
                   {'MCP-Protocol-Version': '2025-11-25'}]) {
        const answer = await send('add', headers);
        assert.equal(answer.status, 400, JSON.stringify(headers));
        assert.equal(answer.json.error.code, -32020, JSON.stringify(headers));
      }
      assert.equal(fixture.ran.length, 1);
    });

scenario('a message that is not one clear request is refused and runs nothing', async (s) => {
  const {fixture, sidecar, token} =
      await startFixture(s, '    allow:\n      - {upstream: fixture}\n');
  const add = '{"jsonrpc":"2.0","id":1,"method":"tools/call",' +
      '"params":{"name":"add","arguments":{"a":1,"b":1}}}';
  const cases = [
    ['not JSON', '{"jsonrpc"', 400, -32700],
    ['empty', '', 400, -32700],
    ['two documents', `${add}${add}`, 400, -32700],
    ['a comment', add.replace('{', '{/*x*/'), 400, -32700],
    ['NaN', add.replace('"a":1', '"a":NaN'), 400, -32700],
    ['byte order mark', `\ufeff${add}`, 400, -32700],
    ['bad UTF-8', Buffer.from(add.replace('add', 'a\u00e9d'), 'latin1'), 400, -32700],
    ['duplicate name', add.replace('"name":"add"', '"name":"drop","name":"add"'), 400, -32700],
    [
      'duplicate name, escaped', add.replace('"name":"add"', '"name":"drop","n\\u0061me":"add"'),
      400, -32700
    ],
    [
      'name in another case', add.replace('"name":"add"', '"Name":"drop","name":"add"'), 400, -32600
    ],
    [
      'duplicate deep in the arguments', add.replace('"b":1', '"b":1,"c":{"d":1,"d":2}'), 400,
      -32700
    ],
    ['batch', `[${add}]`, 400, -32600],
    ['id null', add.replace('"id":1', '"id":null'), 400, -32600],
    ['id 1.5', add.replace('"id":1', '"id":1.5'), 400, -32600],
    ['id past 2^53', add.replace('"id":1', '"id":9007199254740993'), 400, -32600],
    ['no version', add.replace('"jsonrpc":"2.0",', ''), 400, -32600],
    [
      'too deep', add.replace('"b":1', `"b":${'['.repeat(10_000)}${']'.repeat(10_000)}`), 400,
      -32700
    ],
  ];
  for (const [name, body, status, code] of cases) {
    const answer = await sidecar.call('POST', '/fixture', {
      token,
      body,
      headers: {'Content-Type': 'application/json', 'Accept': 'application/json, text/event-stream'}
    });
    assert.equal(answer.status, status, `${name}: ${answer.body}`);
    assert.equal(answer.json.error.code, code, `${name}: ${answer.body}`);
  }
  const types =
      [['text/plain', 415], ['application/jsonx', 415], ['application/json; charset=utf-16', 415]];
  for (const [type, status] of types) {
    const answer = await sidecar.call('POST', '/fixture', {
      token,
      body: add,
      headers: {'Content-Type': type, 'Accept': 'application/json, text/event-stream'}
    });
    assert.equal(answer.status, status, type);
  }
  const packed = await sidecar.call('POST', '/fixture', {
    token,
    body: add,
    headers: {
      'Content-Type': 'application/json',
      'Content-Encoding': 'gzip',
      'Accept': 'application/json, text/event-stream'
    }
  });
  assert.equal(packed.status, 415);
  // A call dressed as a notification has no answer, and must not run either.
  await sidecar.call('POST', '/fixture', {
    token,
    body: add.replace('"id":1,', ''),
    headers: {'Content-Type': 'application/json', 'Accept': 'application/json, text/event-stream'}
  });
  assert.deepEqual(fixture.ran, []);
  assert.equal(fixture.requests.length, 0);
});

scenario('a foreign Origin or Host is refused before anything else', async (s) => {
  const {fixture, sidecar, token} = await startFixture(s);
  const add =
      {jsonrpc: '2.0', id: 1, method: 'tools/call', params: {name: 'add', arguments: {a: 1, b: 1}}};
  for (const headers
           of [{Origin: 'http://evil.example'}, {Origin: 'null'}, {Host: 'evil.example'},
               {Origin: 'http://127.0.0.1.evil.example'}]) {
    assert.equal(
        (await sidecar.rpc('/fixture', add, {token, headers})).status, 403,
        JSON.stringify(headers));
  }
  assert.equal(fixture.requests.length, 0);
});

scenario('an unknown agent, an unknown upstream, an upstream that is down', async (s) => {
  const {sidecar, token, fixture} = await startFixture(s, '    allow:\n      - {upstream: "*"}\n');
  const ping = {jsonrpc: '2.0', id: 'p', method: 'ping'};
  assert.equal((await sidecar.rpc('/fixture', ping)).status, 401);
  assert.equal((await sidecar.rpc('/fixture', ping, {token: newToken()})).status, 401);
  assert.equal((await sidecar.rpc('/elsewhere', ping, {token})).status, 404);
  assert.equal(fixture.requests.length, 0);
});

scenario('an MCP upstream that is down answers 502 with the id of the call', async (s) => {
  const jordan = agentEntry('jordan');
  const closed = await s.origin();
  await closed.close();
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], '    allow:\n      - {upstream: gone}\n'),
    upstreams: {gone: {mcp: closed.url('/mcp')}}
  });
  closed.close = async () => {};
  const answer = await sidecar.rpc(
      '/gone',
      {jsonrpc: '2.0', id: 'seven', method: 'tools/call', params: {name: 'x', arguments: {}}},
      {token: jordan.token});
  assert.equal(answer.status, 502);
  assert.equal(answer.json.error.code, -32603);
  assert.equal(answer.json.id, 'seven');
});

scenario('a hidden tool looks as if it did not exist', async (s) => {
  const {token, url, fixture} = await startFixture(s, `    allow:
      - {upstream: fixture}
    deny:
      - {id: veiled, upstream: fixture, tools: drop, hidden: true}
`);
  const client = await clients['sdk 1.32'](url, token);
  assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), ['add']);
  await assert.rejects(
      client.callTool({name: 'drop', arguments: {}}),
      (error) => error.code === -32602 && /Unknown tool: drop/.test(error.message));
  assert.deepEqual(fixture.ran, []);
  await client.close();
});

scenario('a deny of what MCP itself needs holds, and explain says so', async (s) => {
  const {fixture, sidecar, token} = await startFixture(
      s,
      '    allow:\n      - {upstream: fixture, tools: "*"}\n' +
          '    deny:\n      - {id: no-ping, upstream: fixture, methods: [ping, tools/list]}\n');
  const send = (method) =>
      sidecar.rpc('/fixture', {jsonrpc: '2.0', id: 1, method, params: {}}, {token});
  const before = fixture.requests.length;
  for (const method of ['ping', 'tools/list']) {
    const answer = await send(method);
    assert.ok(answer.json.error, method);
    const said = await reeve(
        'explain', '-p', join(sidecar.folder, 'policy.yaml'), '--agent', 'jordan', '--upstream',
        'fixture', '--method', method);
    assert.equal(said.code, 4, method);
  }
  assert.equal(fixture.requests.length, before);
  const said = await reeve(
      'explain', '-p', join(sidecar.folder, 'policy.yaml'), '--agent', 'jordan', '--upstream',
      'fixture', '--method', 'prompts/list');
  assert.equal(said.code, 0);
});
