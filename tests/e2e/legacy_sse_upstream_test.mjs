// An upstream that speaks only HTTP+SSE, the transport before Streamable HTTP, used by clients that
// speak Streamable HTTP: real servers, and one that does what no server should.
import {Client as ModernClient, StreamableHTTPClientTransport as ModernHttp} from '@modelcontextprotocol/client';
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {CreateMessageRequestSchema} from '@modelcontextprotocol/sdk/types.js';
import {join} from 'node:path';

import {initialize, oldServer, sseServer} from './legacy_sse.mjs';
import {agentEntry, allowAll, assert, binary, policyOf, reeve, run, scenario, until} from './lib.mjs';
import {clientOf, exercise, start, textOf} from './programs.mjs';

const open =
    async (url, token, [Type, Transport, options] = [Client, StreamableHTTPClientTransport]) => {
  const client = new Type({name: 'e2e', version: '1'}, options);
  await client.connect(
      new Transport(new URL(url), {requestInit: {headers: {Authorization: `Bearer ${token}`}}}));
  return client;
};

for (const [name, how] of Object.entries({
       'sdk 1.32': [Client, StreamableHTTPClientTransport, {}],
       'client 2.4, auto': [ModernClient, ModernHttp, {versionNegotiation: {mode: 'auto'}}],
     })) {
  scenario(`${name} with a server behind supergateway's SSE`, async (s) => {
    const world = await start(s, 'everything', 'sse');
    const client = await open(world.url, world.token, how);
    await exercise(world, clientOf(client));
    await client.close();
  });
}

// A sidecar before an SDK 1.32 server on SSEServerTransport, and before one that is written here.
async function before(s, server, {agents = ['jordan'], upstream = {}, ...more} = {}) {
  const entries = agents.map((name) => agentEntry(name));
  const sidecar = await s.sidecar({
    policy: policyOf(
        entries, allowAll('tools') + '    deny:\n      - {upstream: tools, tools: secret}\n'),
    upstreams: {tools: {mcp: {sse: server.url}, ...upstream}},
    ...more
  });
  return {
    sidecar,
    url: `http://127.0.0.1:${sidecar.port}/tools`,
    token: entries[0].token,
    tokens: entries.map(({token}) => token)
  };
}

scenario(
    'SSEServerTransport: calls at once, progress, requests of the server, the credential',
    async (s) => {
      const server = await oldServer(s);
      const {sidecar, url, token} = await before(
          s, server, {upstream: {credential: {header: 'X-Key', value: 'key of the upstream'}}});
      const client = new Client({name: 'e2e', version: '1'}, {capabilities: {sampling: {}}});
      client.setRequestHandler(
          CreateMessageRequestSchema,
          () => ({role: 'assistant', model: 'm', content: {type: 'text', text: 'sampled!'}}));
      await client.connect(new StreamableHTTPClientTransport(
          new URL(url), {requestInit: {headers: {Authorization: `Bearer ${token}`}}}));
      const sums = await Promise.all(Array.from(
          {length: 50}, (_, i) => client.callTool({name: 'add', arguments: {a: i, b: 1000}})));
      assert.deepEqual(sums.map(textOf), Array.from({length: 50}, (_, i) => String(i + 1000)));
      const steps = [];
      const done = await client.callTool(
          {name: 'steps', arguments: {}}, undefined,
          {onprogress: ({progress}) => steps.push(progress)});
      assert.equal(textOf(done), 'done');
      assert.deepEqual(steps, [1, 2, 3]);
      assert.match(textOf(await client.callTool({name: 'ask', arguments: {}})), /sampled!/);
      assert.match(textOf(await client.callTool({name: 'secret', arguments: {}})), /^isError/);
      assert.deepEqual(server.ran.filter((tool) => tool === 'secret'), []);
      const records = await sidecar.records({action: 'tools/call', decision: 'allow'}, 52);
      assert.ok(records.every(({outcome}) => outcome.status === 200));
      // The upstream's credential on each request, the agent's on none.
      assert.ok(server.requests.length > 52);
      for (const {headers} of server.requests) {
        assert.equal(headers['x-key'], 'key of the upstream');
        assert.ok(!JSON.stringify(headers).includes(token));
      }
      await client.transport.terminateSession();
      await until(() => server.open() === 0, 'the end of the stream of an ended session');
      await client.close();
    });

scenario('a session is one stream, and nothing to another agent', async (s) => {
  const server = await oldServer(s);
  const {sidecar, url, tokens} = await before(s, server, {agents: ['jordan', 'robin']});
  const first = await open(url, tokens[0]), second = await open(url, tokens[0]);
  const other = await open(url, tokens[1]);
  for (const client of [first, second, other])
    assert.equal(textOf(await client.callTool({name: 'add', arguments: {a: 1, b: 2}})), '3');
  assert.equal(server.open(), 3);
  const stolen = await sidecar.rpc(
      '/tools', {jsonrpc: '2.0', id: 1, method: 'ping'},
      {token: tokens[1], headers: {'Mcp-Session-Id': first.transport.sessionId}});
  assert.equal(stolen.status, 404);
  for (const client of [first, second, other]) await client.close();
});

const add = (id) =>
    ({jsonrpc: '2.0', id, method: 'tools/call', params: {name: 'add', arguments: {a: 1, b: 2}}});
const answer = (id) => JSON.stringify({jsonrpc: '2.0', id, result: {content: []}});

// What a hostile server sends when its stream is opened, and what an agent must get of it.
const openings = {
  'an endpoint at another host': 'event: endpoint\ndata: http://127.0.0.2:1/message\n\n',
  'an endpoint at another port': (server) =>
      `event: endpoint\ndata: http://127.0.0.1:${server.port + 1}/message\n\n`,
  'an endpoint that hides a host': 'event: endpoint\ndata: //evil.example/message\n\n',
  'a message before the endpoint': `data: ${answer(1)}\n\nevent: endpoint\ndata: /message\n\n`,
  'an empty endpoint': 'event: endpoint\ndata: \n\n',
  'an endpoint with a second line': 'event: endpoint\ndata: /message\ndata: X: y\n\n',
  'another endpoint at once':
      'event: endpoint\ndata: /message\n\nevent: endpoint\ndata: /elsewhere\n\n',
  'an endless event': `event: endpoint\ndata: ${'x'.repeat(3 << 20)}`,
  'an end at once': null,
};
for (const [name, opening] of Object.entries(openings)) {
  scenario(`hostile: ${name}`, async (s) => {
    const server = await sseServer(s, (stream) => {
      if (opening === null) return stream.end();
      stream.write(typeof opening === 'string' ? opening : opening(server));
    });
    const {sidecar, token} =
        await before(s, server, {config: {limits: {body_bytes: '1MB', drain: '2s'}}});
    const refused = await sidecar.rpc('/tools', initialize, {token});
    assert.equal(refused.status, 502);
    assert.equal(refused.json.id, initialize.id);
    assert.deepEqual(
        server.posted.filter(({url}) => url !== '/message'), [], 'nothing was posted elsewhere');
    await until(() => /upstream `tools`: it/.test(sidecar.stderr), 'a line in the log');
    await sidecar.records({action: 'initialize'});
  });
}

scenario('hostile: no stream of events, an error, a redirect', async (s) => {
  const elsewhere = await s.origin();
  for (const [status, headers] of [
           [200, {'Content-Type': 'application/json'}], [401, {}],
           [307, {Location: elsewhere.url('/sse')}]]) {
    const server = await s.origin((request, response) => {
      response.writeHead(status, headers);
      response.end('{}');
    });
    const {sidecar, token} = await before(s, {url: server.url('/sse')});
    assert.equal((await sidecar.rpc('/tools', initialize, {token})).status, 502);
    assert.equal(elsewhere.requests.length, 0, 'redirects are not followed');
  }
});

// A server that begins well, and then does what `say(stream, message)` does with each message.
const started = async (s, say, more) => {
  const server = await sseServer(
      s,
      (stream) => {
        stream.write('event: endpoint\ndata: /message?id=1\n\n');
      },
      (stream, message, response) => {
        if (message.method !== 'initialize') return say(stream, message, response);
        response.writeHead(202).end();
        stream.write(`event: message\ndata: ${JSON.stringify({
          jsonrpc: '2.0',
          id: message.id,
          result: {protocolVersion: '2024-11-05', capabilities: {}, serverInfo: {}}
        })}\n\n`);
      });
  const world = await before(s, server, more);
  const begun = await world.sidecar.rpc('/tools', initialize, {token: world.token});
  assert.equal(begun.status, 200);
  const session = {'Mcp-Session-Id': begun.headers['mcp-session-id']};
  return {
    ...world,
    server,
    ask: (message) => world.sidecar.rpc('/tools', message, {token: world.token, headers: session})
  };
};

scenario('hostile: garbage, forged ids, odd framing; the right answer still comes', async (s) => {
  const {ask, server} = await started(s, (stream, message, response) => {
    response.writeHead(202).end('Accepted');
    const right = answer(message.id);
    stream.write('data: not json\n\n: comment\n\nevent: odd\ndata: {"x":1}\n\ndata: [1,2]\n\n');
    stream.write(`data: ${answer(999_999)}\n\ndata: ${answer('"forged"')}\n\n`);
    stream.write(`data: {"jsonrpc":"2.0","id":{},"result":{}}\n\nid: 7\nretry: 1\n\n`);
    // Cut at every byte, with every kind of line end.
    const text = `event: message\r\ndata: ${right.slice(0, 1)}\r\ndata: ${right.slice(1)}\r\r\n`;
    for (const byte of text) stream.write(byte);
  });
  for (const id of [5, 'five', 0]) {
    const good = await ask(add(id));
    assert.equal(good.status, 200);
    assert.deepEqual([good.json.id, good.json.result], [id, {content: []}]);
  }
  assert.ok(server.posted.every(({url}) => url === '/message?id=1'));
});

scenario('hostile: the endpoint changes later, the stream ends in the middle', async (s) => {
  for (const last of ['event: endpoint\ndata: /other\n\n', 'data: {"jsonrpc":"2.0",', null]) {
    const {ask, sidecar, server} = await started(s, (stream, message, response) => {
      response.writeHead(202).end();
      if (last) stream.write(last);
      if (last !== 'event: endpoint\ndata: /other\n\n') stream.destroy();
    });
    const cut = await ask(add(1));
    assert.equal(cut.status, 502);
    assert.equal(cut.json.id, 1);
    const gone = await ask(add(2));
    assert.equal(gone.status, 404, 'its session is gone, so the client begins anew');
    assert.ok(!server.posted.some(({url}) => url === '/other'));
    const [{outcome}] = await sidecar.records({action: 'tools/call'}, 2);
    assert.equal(outcome.status, 502);
  }
});

scenario('a message that the server refuses is an error of that call alone', async (s) => {
  const {ask} = await started(s, (stream, message, response) => {
    if (message.id === 1 || message.params.name !== 'add') return response.writeHead(400).end('no');
    response.writeHead(200).end('ok');
    stream.write(`data: ${answer(message.id)}\n\n`);
  });
  const gone = await ask({...add(7), params: {name: 'drop', arguments: {}}});
  assert.match(gone.json.error.message, /HTTP status 400/);
  assert.deepEqual((await ask(add(8))).json.result, {content: []});
});

scenario(
    'a server that never names its endpoint is given up, and an end is tried again', async (s) => {
      let streams = 0;
      const server = await sseServer(s, () => {
        streams += 1;
      });
      const {sidecar, token} = await before(s, server, {upstream: {timeout: '300ms'}});
      const late = await sidecar.rpc('/tools', initialize, {token});
      assert.ok([502, 504].includes(late.status), `${late.status}`);
      await until(() => /did not name its endpoint in time/.test(sidecar.stderr), 'the log line');
      await until(async () => {
        await sidecar.rpc('/tools', initialize, {token});
        return streams >= 2;
      }, 'another stream');
    });

scenario(
    'what cannot be meant in reeve.yaml is named; `reeve pin` reads such a server', async (s) => {
      const jordan = agentEntry('jordan');
      const cases = [
        [{http: {sse: 'http://127.0.0.1:9/sse'}}, /`sse` is of MCP servers/],
        [{mcp: {sse: ['http://127.0.0.1:9/sse']}}, /`sse` is one URL/],
        [{mcp: {sse: 'ftp://x'}}, /does not begin with http/],
        [{mcp: {sse: 'http://127.0.0.1:9/sse', command: ['x']}}, /command/],
        [{mcp: ['http://127.0.0.1:9/', {sse: 'http://127.0.0.1:8/'}]}, /has one address/],
      ];
      for (const [upstream, message] of cases) {
        const {folder} = await s.configure(
            {policy: policyOf([jordan], allowAll('tools')), upstreams: {tools: upstream}});
        const checked = await reeve('check', join(folder, 'reeve.yaml'));
        assert.equal(checked.code, 1, JSON.stringify(upstream));
        assert.match(checked.out + checked.err, message);
      }
      const server = await oldServer(s);
      const {folder, env} = await s.configure({
        policy: policyOf([jordan], allowAll('tools')),
        upstreams: {tools: {mcp: {sse: server.url}}}
      });
      const pinned = await run(
          binary,
          ['pin', '-c', join(folder, 'reeve.yaml'), '-o', join(folder, 'lock'), 'tools', '--json'],
          {env});
      assert.equal(pinned.code, 0, pinned.err);
      assert.equal(JSON.parse(pinned.out).tools, 4);
      await until(() => server.open() === 0, 'no stream is left');
    });
