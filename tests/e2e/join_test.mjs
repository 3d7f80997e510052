// One endpoint for all MCP servers: /mcp, with the official clients of both lines, servers of both
// eras, by URL and by command at once, servers that are away, and clients that cheat.
import {Client as ModernClient, StreamableHTTPClientTransport as ModernHttp} from '@modelcontextprotocol/client';
import {Client as LegacyClient} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport as LegacyHttp} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {CreateMessageRequestSchema, ListRootsRequestSchema} from '@modelcontextprotocol/sdk/types.js';
import {join} from 'node:path';

import {agentEntry, assert, policyOf, root, run, scenario, until, within} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';
import {scripted, text, tool} from './scripted_mcp.mjs';

const clients = {
  'sdk 1.32': (url, token, options) =>
      connect(new LegacyClient({name: 'e2e', version: '1'}, options), LegacyHttp, url, token),
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

const allThree = `    allow:
      - {id: every, upstream: every, tools: [echo, get-sum, "trigger-*"]}
      - {id: reads, upstream: every, resources: "**"}
      - {id: prompts, upstream: every, prompts: "*"}
      - {id: dual, upstream: dual, tools: add}
      - {id: notes, upstream: dual, resources: "note://open/*"}
      - {id: local, upstream: local, tools: [add, wait, who]}
    deny:
      - {id: no-env, upstream: every, tools: get-env, because: It shows secrets}
`;
const command = [process.execPath, join(root, 'tests/e2e/stdio_server.mjs')];

// server-everything, a server of both eras and one that is started by a command.
async function startThree(s, {rules = allThree} = {}) {
  const [every, dual] = [await s.everything(), await mcpOrigin(s)];
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], rules),
    upstreams: {every: {mcp: every.url}, dual: {mcp: dual.url}, local: {mcp: {command}}}
  });
  return {every, dual, sidecar, token: jordan.token, url: `http://127.0.0.1:${sidecar.port}/mcp`};
}
const names = ({tools}) => tools.map((tool) => tool.name);

for (const [name, open] of Object.entries(clients)) {
  scenario(`${name} with three servers at once`, async (s) => {
    const {dual, sidecar, token, url} = await startThree(s);
    const client = await open(url, token);
    assert.equal(client.getServerVersion()?.name, 'reeve');
    // A server that is started by its first use may need longer than a list waits for it.
    const tools = await until(async () => {
      const found = names(await client.listTools());
      return found.some((each) => each.startsWith('local__')) && found;
    }, 'the tools of all three');
    assert.deepEqual(tools.toSorted(), [
      'dual__add', 'every__echo', 'every__get-sum', 'every__trigger-long-running-operation',
      'local__add', 'local__wait', 'local__who'
    ]);
    assert.deepEqual(
        [...new Set(tools.map((each) => each.split('__')[0]))], ['every', 'dual', 'local'],
        'in the order of reeve.yaml');
    const call = async (tool, args) =>
        (await client.callTool({name: tool, arguments: args})).content[0].text;
    assert.equal(
        await call('every__echo', {message: 'hi "there" \u2603'}), 'Echo: hi "there" \u2603');
    assert.equal(await call('dual__add', {a: 20, b: 22}), '42');
    assert.equal(await call('local__add', {a: 1, b: 2}), '3');
    assert.deepEqual(dual.ran, [{tool: 'add', args: {a: 20, b: 22}}]);

    const denied = await client.callTool({name: 'every__get-env', arguments: {}});
    assert.equal(denied.isError, true);
    assert.match(denied.content[0].text, /It shows secrets/);
    assert.equal(denied._meta['reeve/decision'].rule, 'no-env');
    await assert.rejects(
        client.callTool({name: 'echo', arguments: {message: 'x'}}), /Unknown tool/);
    await assert.rejects(client.callTool({name: 'none__echo', arguments: {}}), /Unknown tool/);

    const {resources} = await client.listResources();
    const note = resources.find((each) => each.uri === 'reeve:dual/note://open/1');
    assert.ok(note, JSON.stringify(resources));
    assert.ok(!JSON.stringify(resources).includes('secret'));
    assert.equal((await client.readResource({uri: note.uri})).contents[0].text, 'open note');
    const {prompts} = await client.listPrompts();
    const prompt = prompts.find((each) => each.name === 'every__simple-prompt');
    assert.ok(prompt, JSON.stringify(prompts));
    assert.ok((await client.getPrompt({name: prompt.name})).messages.length > 0);
    assert.equal(
        dual.requests.some((each) => each['mcp-protocol-version'] === '2026-07-28'),
        name.endsWith('auto'), 'in the client\'s era');
    const called = await sidecar.records({action: 'tools/call', decision: 'allow'}, 3);
    assert.deepEqual(
        called.map(({decision}) => [decision.upstream, decision.target, decision.rule]),
        [['every', 'echo', 'every'], ['dual', 'add', 'dual'], ['local', 'add', 'local']]);
    await client.close();
  });
}

const openAll = (...upstreams) =>
    `    allow:\n${upstreams.map((each) => `      - {id: ${each}, upstream: ${each}}\n`).join('')}`;

// A sidecar before scripted servers, an agent that may use them all, and raw messages to /mcp.
async function startRaw(s, servers, {rules, agents = [agentEntry('jordan')], more} = {}) {
  const upstreams = Object.fromEntries(
      Object.entries(servers).map(([name, server]) => [name, {mcp: server.url ?? server}]));
  const sidecar = await s.sidecar(
      {policy: policyOf(agents, rules ?? openAll(...Object.keys(servers)), more), upstreams});
  const raw =
      (method, params,
       {token = agents[0].token, session, headers = {}, id = 1, path = '/mcp'} = {}) =>
          sidecar.rpc(
              path, JSON.stringify({jsonrpc: '2.0', ...(id !== null && {id}), method, params}), {
                headers: {
                  'Authorization': `Bearer ${token}`,
                  ...(session && {'Mcp-Session-Id': session, 'MCP-Protocol-Version': '2025-11-25'}),
                  ...headers
                }
              });
  const hello = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: {name: 'raw', version: '1'}
  };
  const begin = async (token, path) => {
    const answer = await raw('initialize', hello, {token, path});
    assert.equal(answer.status, 200, answer.body);
    return answer.headers['mcp-session-id'];
  };
  return {sidecar, raw, begin, hello, url: `http://127.0.0.1:${sidecar.port}/mcp`, agents};
}

const listing = (...tools) => ({'tools/list': () => ({tools: tools.map(tool)})});

scenario('a dead, a silent and a garbling server hold nobody up', async (s) => {
  const good = await scripted(s, {...listing('one'), 'tools/call': () => text('done')});
  const silent = await s.origin(Object.assign(() => {}, {streams: true}));
  const garbling = await scripted(s, {'tools/list': () => 'this is no message'});
  const dead = await s.origin();
  await dead.close();
  const {sidecar, raw, begin} =
      await startRaw(s, {dead: dead.url('/mcp'), silent: silent.url('/mcp'), garbling, good});
  const session = await begin();
  const {json} = await raw('tools/list', {}, {session});
  assert.deepEqual(json.result.tools.map((each) => each.name), ['good__one']);
  assert.equal(
      (await raw('tools/call', {name: 'good__one'}, {session})).json.result.content[0].text,
      'done');
  const down = await raw('tools/call', {name: 'dead__one'}, {session});
  assert.equal(down.status, 502);
  assert.equal(down.json.error.code, -32603);
  await until(
      () => /`silent` is left out of the answer to tools\/list: it takes too long/.test(
          sidecar.stderr),
      'a line about the silent one');
  assert.match(
      sidecar.stderr, /`dead` is left out of the answer to tools\/list: it cannot be reached/);
  await until(
      () => sidecar.metric('reeve_upstream_errors_total', {upstream: 'silent'}), 'its metric');
});

scenario('nothing to join is said, not shown as an empty server', async (s) => {
  const dead = await s.origin();
  await dead.close();
  const robin = agentEntry('robin', {roles: 'idler'});
  const agents = [agentEntry('jordan'), robin];
  const {raw, hello} = await startRaw(s, {dead: dead.url('/mcp')}, {
    agents,
    more: '  idler:\n    deny:\n      - {id: shut, upstream: dead, because: It is shut}\n'
  });
  assert.equal((await raw('initialize', hello)).status, 502);
  const refused = await raw('initialize', hello, {token: robin.token});
  assert.equal(refused.json.error.code, 403);
  assert.match(refused.json.error.message, /It is shut/);
});

scenario('two agents see and may do what each was granted, in sessions of their own', async (s) => {
  const crm = await scripted(s, {...listing('read', 'write'), 'tools/call': () => text('done')});
  const bank = await scripted(s, {...listing('pay'), 'tools/call': () => text('paid')});
  const jordan = agentEntry('jordan'), robin = agentEntry('robin', {roles: 'reader'});
  const {sidecar, raw, begin} = await startRaw(s, {crm, bank}, {
    agents: [jordan, robin],
    more: '  reader:\n    allow:\n      - {id: reading, upstream: crm, tools: read}\n'
  });
  const own = await begin(), other = await begin(robin.token);
  const of = async (token, session) =>
      (await raw('tools/list', {}, {token, session})).json.result.tools.map((each) => each.name);
  assert.deepEqual(await of (jordan.token, own), ['crm__read', 'crm__write', 'bank__pay']);
  assert.deepEqual(await of (robin.token, other), ['crm__read']);
  const call = (name, token, session) => raw('tools/call', {name, arguments: {}}, {token, session});
  assert.equal((await call('crm__read', robin.token, other)).json.result.isError, undefined);
  assert.equal((await call('crm__write', robin.token, other)).json.result.isError, true);
  assert.equal((await call('bank__pay', robin.token, other)).json.result.isError, true);
  assert.deepEqual(bank.messages('tools/call'), []);
  assert.deepEqual(
      bank.messages('initialize').length, 1, 'nothing is opened where nothing may be done');

  for (const method of ['POST', 'GET', 'DELETE']) {
    const stolen = await sidecar.call(method, '/mcp', {
      headers: {
        'Authorization': `Bearer ${robin.token}`,
        'Mcp-Session-Id': own,
        'Accept': 'application/json, text/event-stream',
        ...(method === 'POST' && {'Content-Type': 'application/json'})
      },
      body: method === 'POST' ? '{"jsonrpc":"2.0","id":7,"method":"tools/list"}' : undefined
    });
    assert.equal(stolen.status, 404, `${method} on another agent's session`);
  }
  assert.equal((await raw('tools/list', {}, {session: 'f'.repeat(32)})).status, 404);
  assert.equal((await raw('tools/list', {})).status, 400, 'without a session');
  const ended = await sidecar.call(
      'DELETE', '/mcp',
      {headers: {'Authorization': `Bearer ${jordan.token}`, 'Mcp-Session-Id': own}});
  assert.equal(ended.status, 200);
  assert.equal((await raw('tools/list', {}, {session: own})).status, 404);
  assert.equal(crm.requests.filter((each) => each.method === 'DELETE').length, 1);
});

scenario('a call is judged and recorded as the same call to its upstream', async (s) => {
  const crm =
      await scripted(s, {...listing('read', 'write', 'rm'), 'tools/call': () => text('done')});
  const rules = `    allow:
      - {id: some, upstream: crm, tools: [read, write]}
    deny:
      - {id: never, upstream: crm, tools: rm, because: Nobody removes}
`;
  const {sidecar, raw, begin} = await startRaw(s, {crm}, {rules});
  const joined = await begin(), direct = await begin(undefined, '/crm');
  const calls =
      [['read', {a: 1}], ['write', {b: {c: [1, 2.50, '\u00e9']}}], ['rm', {}], ['other', {}]];
  for (const [name, args] of calls) {
    const [there, here] = [
      await raw('tools/call', {name, arguments: args}, {session: direct, path: '/crm'}),
      await raw('tools/call', {name: `crm__${name}`, arguments: args}, {session: joined})
    ];
    const plain = (answer) => JSON.stringify(answer.json).replace(/"decisionId":"[^"]*"/, '');
    assert.equal(plain(here), plain(there), name);
    assert.equal(here.status, there.status);
  }
  const records = await sidecar.records({action: 'tools/call'}, 8);
  assert.equal(records.length, 8, 'one pair of lines each');
  const own = [
    'seq', 'time', 'call', 'session', 'prev', 'hash', 'ms', 'upstream_ms', 'bytes_in', 'bytes_out'
  ];
  const same = (line) =>
      Object.fromEntries(Object.entries(line).filter(([key]) => !own.includes(key)));
  for (let i = 0; i < records.length; i += 2) {
    assert.deepEqual(same(records[i + 1].decision), same(records[i].decision));
    assert.deepEqual(same(records[i + 1].outcome), same(records[i].outcome));
  }
  const sent = crm.messages('tools/call').map((each) => JSON.stringify(each.params));
  assert.equal(sent[0], sent[1]);
  assert.equal(sent[2], sent[3]);
});

scenario('pages of all servers come together, and a cursor is its agent\'s alone', async (s) => {
  const paging = (...pages) => ({
    'tools/list': ({params}) => {
      const at = Number(params?.cursor?.slice(1) ?? 0);
      return {tools: pages[at].map(tool), ...(at + 1 < pages.length && {nextCursor: `p${at + 1}`})};
    }
  });
  const a = await scripted(s, paging(['a1', 'a2'], ['a3'], ['a4']));
  const b = await scripted(s, paging(['b1'], ['b2']));
  const c = await scripted(s, listing('c1'));
  const jordan = agentEntry('jordan'), robin = agentEntry('robin');
  const {raw, begin} = await startRaw(s, {a, b, c}, {agents: [jordan, robin]});
  const session = await begin(), other = await begin(robin.token), second = await begin();
  const pages = [];
  let cursor;
  do {
    const {json} = await raw('tools/list', cursor && {cursor}, {session});
    pages.push(json.result.tools.map((each) => each.name));
    cursor = json.result.nextCursor;
    if (pages.length === 1) {
      const invalid = async (answer) => assert.equal((await answer).json.error?.code, -32602);
      await invalid(raw('tools/list', {cursor}, {session: other, token: robin.token}));
      await invalid(raw('tools/list', {cursor}, {session: second}));
      await invalid(raw('prompts/list', {cursor}, {session}));
      await invalid(raw('tools/list', {cursor: cursor.slice(0, -2) + 'AA'}, {session}));
      await invalid(raw('tools/list', {cursor: 'p1'}, {session}));
      await invalid(raw('tools/list', {cursor: 7}, {session}));
      assert.ok(!cursor.includes('p1'));
    }
  } while (cursor);
  assert.deepEqual(pages, [['a__a1', 'a__a2', 'b__b1', 'c__c1'], ['a__a3', 'b__b2'], ['a__a4']]);
});

scenario('names: two underscores, doubles, too long ones, and none', async (s) => {
  const odd = await scripted(s, {
    'tools/list': () => ({
      tools: [
        tool('a__b'), tool('_x'), tool('twice'), {...tool('twice'), description: 'the second'},
        tool('x'.repeat(1020)), {inputSchema: {}}, tool('')
      ]
    }),
    'tools/call': ({params}) => text(params.name)
  });
  const plain = await scripted(s, {...listing('b'), 'tools/call': ({params}) => text(params.name)});
  const {sidecar, raw, begin} = await startRaw(s, {odd, plain});
  const session = await begin();
  const list = await raw('tools/list', {}, {session});
  // A nameless entry makes its server's whole list unreadable, as it does at /odd.
  assert.deepEqual(list.json.result.tools.map((each) => each.name), ['plain__b']);
  const call = async (name) => (await raw('tools/call', {name}, {session})).json;
  assert.equal((await call('odd__a__b')).result.content[0].text, 'a__b');
  assert.equal((await call('odd___x')).result.content[0].text, '_x');
  for (const name of ['b', 'odd', 'odd_b', 'odd__', '__b', 'Plain__b', 'plain__', 'other__b']) {
    const answer = await call(name);
    assert.equal(answer.error?.code, -32602, name);
    assert.match(answer.error.message, /^Unknown tool/);
  }
  const refused = await sidecar.records({action: 'tools/call', reason: 'no-upstream'}, 8);
  assert.deepEqual(
      refused.map(({decision}) => [decision.target, decision.decision])[0], ['b', 'deny']);
});

scenario('of two entries with one name the first counts', async (s) => {
  const odd = await scripted(s, {
    'tools/list': () => ({
      tools: [
        {...tool('twice'), description: 'first'}, {...tool('twice'), description: 'second'},
        tool('x'.repeat(1020)), tool('y'.repeat(900))
      ]
    })
  });
  const {raw, begin} = await startRaw(s, {odd});
  const {tools} = (await raw('tools/list', {}, {session: await begin()})).json.result;
  assert.deepEqual(
      tools.map((each) => [each.name.slice(0, 10), each.description]),
      [['odd__twice', 'first'], ['odd__yyyyy', undefined]]);
});

// The events of a stream to /mcp, as they come.
async function listen(url, token, session, headers = {}) {
  const abort = new AbortController();
  const response = await fetch(url, {
    signal: abort.signal,
    headers: {
      'Authorization': `Bearer ${token}`,
      'Accept': 'text/event-stream',
      'Mcp-Session-Id': session,
      ...headers
    }
  });
  const events = [];
  (async () => {
    let held = '';
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      held += piece;
      for (let end = held.indexOf('\n\n'); end >= 0; end = held.indexOf('\n\n')) {
        const lines = held.slice(0, end).split('\n');
        held = held.slice(end + 2);
        const of = (name) => lines.find((line) => line.startsWith(name))?.slice(name.length);
        const data = of('data: ');
        if (data) events.push({id: of('id: '), message: JSON.parse(data)});
      }
    }
  })().catch(() => {});
  return {status: response.status, events, close: () => abort.abort()};
}

scenario('servers speak on one stream, and their ids cannot be each other\'s', async (s) => {
  const [a, b] = [await scripted(s, listing('one')), await scripted(s, listing('two'))];
  const {sidecar, raw, begin, url, agents} = await startRaw(s, {a, b});
  const {token} = agents[0];
  const session = await begin();
  assert.equal(
      (await raw('notifications/initialized', undefined, {session, id: null})).status, 202);
  const stream = await listen(url, token, session);
  assert.equal(stream.status, 200);
  await until(() => a.streams.length && b.streams.length, 'a stream to each');
  const request = {jsonrpc: '2.0', id: 5, method: 'roots/list'};
  a.push(request, 'at-a');
  b.push(request, 'at-b');
  b.push({jsonrpc: '2.0', method: 'notifications/resources/updated', params: {uri: 'x://1'}});
  // Neither of these was asked for.
  a.push({jsonrpc: '2.0', id: 1, result: {tools: []}});
  a.push(
      {jsonrpc: '2.0', method: 'notifications/progress', params: {progressToken: 9, progress: 1}});
  a.push({jsonrpc: '2.0', method: 'notifications/tools/list_changed'});
  await until(() => stream.events.length >= 4, 'four events');
  const asked = stream.events.filter((each) => each.message.method === 'roots/list');
  assert.equal(asked.length, 2);
  assert.notEqual(asked[0].message.id, asked[1].message.id);
  assert.deepEqual(stream.events.map((each) => each.message.method).toSorted(), [
    'notifications/resources/updated', 'notifications/tools/list_changed', 'roots/list',
    'roots/list'
  ]);
  assert.equal(
      stream.events.find((each) => each.message.params?.uri).message.params.uri, 'reeve:b/x://1');
  const answer = (id, to = session) => sidecar.rpc(
      '/mcp', JSON.stringify({jsonrpc: '2.0', id, result: {roots: [{uri: 'file:///x'}]}}),
      {headers: {'Authorization': `Bearer ${token}`, 'Mcp-Session-Id': to}});
  for (const each of asked) assert.equal((await answer(each.message.id)).status, 202);
  for (const server of [a, b]) {
    const got = server.requests.filter((each) => each.message?.result?.roots);
    assert.deepEqual(got.map((each) => each.message.id), [5], 'its own id, once');
  }
  assert.equal((await answer(5)).status, 400, 'an id that no server was given');
  assert.equal((await answer(asked[0].message.id, await begin())).status, 400, 'another session');

  const last = stream.events.findLast((each) => each.id).id;
  stream.close();
  await until(async () => {
    const again = await listen(url, token, session, {'Last-Event-ID': last});
    const both = await until(
        () => a.streams.at(-1).lastEventId === 'at-a' && b.streams.at(-1).lastEventId === 'at-b',
        'each where it was');
    again.close();
    return both;
  }, 'the stream goes on');
  assert.equal((await listen(url, token, session, {'Last-Event-ID': 'at-a'})).status, 400);
});

scenario('a server that starts slowly is left out, then announced', async (s) => {
  const good = await scripted(s, listing('one'));
  let start;
  const started = new Promise((done) => {
    start = done;
  });
  const slow = await scripted(s, {...listing('two'), ready: () => started});
  const {raw, begin, url, agents} = await startRaw(s, {slow, good});
  const session = await begin();
  const list = async () =>
      (await raw('tools/list', {}, {session})).json.result.tools.map((each) => each.name);
  assert.deepEqual(await list(), ['good__one']);
  const stream = await listen(url, agents[0].token, session);
  await until(() => good.streams.length, 'the stream of the good one');
  start();
  await until(
      () =>
          stream.events.some((each) => each.message.method === 'notifications/tools/list_changed'),
      'the lists have changed');
  assert.deepEqual(await list(), ['slow__two', 'good__one']);
  assert.equal(slow.messages('initialize').length, 1, 'its opening went on');
  stream.close();
});

scenario('an upstream answers only what it was asked', async (s) => {
  const tokens = [];
  const bad = await scripted(s, {
    ...listing('one'),
    'tools/call': (message, say) => {
      tokens.push(message.params._meta?.progressToken);
      const progress = (progressToken) => say({
        jsonrpc: '2.0',
        method: 'notifications/progress',
        params: {progressToken, progress: tokens.length}
      });
      progress(4);
      progress(tokens.at(-1));
      say({jsonrpc: '2.0', id: 99, result: text('to another request')});
      say({jsonrpc: '2.0', id: message.id, method: 'ping', result: text('both')});
      return text('to this');
    }
  });
  const json = await scripted(
      s, {...listing('two'), 'tools/call': () => '{"jsonrpc":"2.0","id":99,"result":{}}'});
  const {sidecar, begin, agents} = await startRaw(s, {bad, json});
  const session = await begin();
  const send = async (name, progressToken) => {
    const answer = await sidecar.call('POST', '/mcp', {
      headers: {
        'Authorization': `Bearer ${agents[0].token}`,
        'Content-Type': 'application/json',
        'Accept': 'application/json, text/event-stream',
        'Mcp-Session-Id': session
      },
      body: JSON.stringify(
          {jsonrpc: '2.0', id: 3, method: 'tools/call', params: {name, _meta: {progressToken}}})
    });
    return {
      ...answer,
      messages: answer.body.split('\n')
                    .filter((line) => line.startsWith('data: '))
                    .map((line) => JSON.parse(line.slice(6)))
    };
  };
  const {messages} = await send('bad__one', 4);
  assert.deepEqual(messages.map((each) => each.params?.progressToken ?? each.id), [4, 3]);
  assert.equal(messages[1].result.content[0].text, 'to this');
  assert.notEqual(tokens[0], 4);
  assert.equal((await send('json__two', 4)).status, 502);
});

const everythingElse = `    allow:
      - {id: tools, upstream: every, tools: "*"}
      - {id: reads, upstream: every, resources: "**"}
      - {id: dual, upstream: dual, tools: add}
`;

scenario('what servers ask of the client, through the official client', async (s) => {
  const {token, url} = await startThree(s, {rules: everythingElse});
  const client = new LegacyClient(
      {name: 'e2e', version: '1'},
      {capabilities: {sampling: {}, roots: {listChanged: true}, elicitation: {}}});
  client.setRequestHandler(
      CreateMessageRequestSchema,
      () => ({role: 'assistant', model: 'm', content: {type: 'text', text: 'sampled here'}}));
  client.setRequestHandler(
      ListRootsRequestSchema, () => ({roots: [{uri: 'file:///here', name: 'here'}]}));
  const updated = [];
  client.fallbackNotificationHandler = async (note) => updated.push(note);
  await connect(client, LegacyHttp, url, token);
  const call = (name, args = {}, ...more) =>
      client.callTool({name: `every__${name}`, arguments: args}, undefined, ...more);

  const sampled = await until(async () => {
    const {tools} = await client.listTools();
    const name = tools.find((each) => each.name.endsWith('__trigger-sampling-request'));
    return name && call('trigger-sampling-request', {prompt: 'say', maxTokens: 10});
  }, 'the tool that samples');
  assert.match(JSON.stringify(sampled), /sampled here/);
  await until(
      async () => /file:\/\/\/here/.test(JSON.stringify(await call('get-roots-list'))),
      'the roots of the client');

  const steps = [];
  await call(
      'trigger-long-running-operation', {duration: 1, steps: 4},
      {onprogress: (progress) => steps.push(progress.progress)});
  assert.ok(steps.length >= 3, `progress: ${steps}`);

  const links = await call('get-resource-links', {count: 2});
  const link = links.content.find((each) => each.type === 'resource_link');
  assert.match(link.uri, /^reeve:every\//);
  assert.ok((await client.readResource({uri: link.uri})).contents.length > 0);

  await client.setLoggingLevel('debug');
  await client.subscribeResource({uri: link.uri});
  await call('toggle-subscriber-updates');
  const note = await until(
      () => updated.find((each) => each.method === 'notifications/resources/updated'),
      'an update of the resource');
  assert.match(note.params.uri, /^reeve:every\//);
  await client.close();
});

scenario('a modern client hears of a modern server on its one stream', async (s) => {
  const {dual, sidecar, token} = await startThree(s);
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': {name: 'raw', version: '1'}
  };
  const send = (method, params, headers = {}) => sidecar.rpc(
      '/mcp', JSON.stringify({jsonrpc: '2.0', id: 'x', method, params: {_meta: meta, ...params}}), {
        headers: {
          'Authorization': `Bearer ${token}`,
          'MCP-Protocol-Version': '2026-07-28',
          'Mcp-Method': method,
          ...headers
        }
      });
  const found = await send('server/discover');
  assert.deepEqual(found.json.result.supportedVersions, ['2026-07-28']);
  assert.equal(found.json.result.cacheScope, 'private');
  const add = (header, name = 'dual__add') =>
      send('tools/call', {name, arguments: {a: 1, b: 2}}, {'Mcp-Name': header});
  assert.equal((await add('dual__add')).json.result.content[0].text, '3');
  assert.equal(dual.requests.at(-1)['mcp-name'], 'add', 'the header says what the body says');
  for (const header of ['add', 'dual__drop', 'every__add', 'DUAL__add']) {
    const refused = await add(header);
    assert.equal(refused.status, 400, header);
    assert.equal(refused.json.error.code, -32020);
  }
  assert.equal(dual.ran.length, 1);
  const other = {...meta, 'io.modelcontextprotocol/protocolVersion': '2027-01-01'};
  const newer = await send('tools/list', {_meta: other}, {'MCP-Protocol-Version': '2027-01-01'});
  assert.equal(newer.json.error.code, -32022);
  assert.deepEqual(newer.json.error.data.supported, ['2026-07-28']);
  const legacy = await until(async () => {
    const answer = await send(
        'tools/call', {name: 'every__echo', arguments: {message: 'm'}},
        {'Mcp-Name': 'every__echo'});
    return answer.status === 200 && answer.json.result;
  }, 'a server of the legacy era');
  assert.equal(legacy.resultType, 'complete');
  assert.equal(legacy.content[0].text, 'Echo: m');
  const read = await send(
      'resources/read', {uri: 'reeve:dual/note://open/1'},
      {'Mcp-Name': 'reeve:dual/note://open/1'});
  assert.equal(read.json.result.contents[0].uri, 'reeve:dual/note://open/1');

  const abort = new AbortController();
  const stream = await fetch(`http://127.0.0.1:${sidecar.port}/mcp`, {
    method: 'POST',
    signal: abort.signal,
    headers: {
      'Authorization': `Bearer ${token}`,
      'Content-Type': 'application/json',
      'Accept': 'application/json, text/event-stream',
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'subscriptions/listen'
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 'sub',
      method: 'subscriptions/listen',
      params: {_meta: meta, notifications: {toolsListChanged: true}}
    })
  });
  const first = await within(stream.body.getReader().read(), 'the acknowledgement');
  const message = JSON.parse(new TextDecoder().decode(first.value).match(/data: (.*)/)[1]);
  assert.equal(message.method, 'notifications/subscriptions/acknowledged');
  assert.equal(message.params._meta['io.modelcontextprotocol/subscriptionId'], 'sub');
  await until(
      () => sidecar.audit({kind: 'decision', action: 'subscriptions/listen', upstream: 'dual'})
                .some((line) => line.decision === 'allow'),
      'the part of the modern server');
  abort.abort();
});

scenario('a call that is given up is given up at its server, in either era', async (s) => {
  const calls = [];
  const legacy = await scripted(s, {
    ...listing('wait'),
    'tools/call': (message) => {
      calls.push(message);
    }
  });
  const {url, agents} = await startRaw(s, {legacy});
  const abort = new AbortController();
  const body = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'legacy__wait',
      arguments: {},
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
        'io.modelcontextprotocol/clientInfo': {name: 'raw', version: '1'},
        'own/key': 1
      }
    }
  };
  const given = fetch(url, {
                  method: 'POST',
                  signal: abort.signal,
                  headers: {
                    'Authorization': `Bearer ${agents[0].token}`,
                    'Content-Type': 'application/json',
                    'Accept': 'application/json, text/event-stream',
                    'MCP-Protocol-Version': '2026-07-28',
                    'Mcp-Method': 'tools/call',
                    'Mcp-Name': 'legacy__wait'
                  },
                  body: JSON.stringify(body)
                }).catch(() => 'given up');
  await until(() => calls.length, 'the call');
  assert.deepEqual(calls[0].params._meta, {'own/key': 1}, 'nothing of the modern era');
  abort.abort();
  assert.equal(await given, 'given up');
  const [cancelled] = await until(() => {
    const found = legacy.messages('notifications/cancelled');
    return found.length && found;
  }, 'the cancellation');
  assert.equal(cancelled.params.requestId, calls[0].id);
});

scenario('a session that a server has forgotten is opened anew', async (s) => {
  let known = 'scripted-1';
  const crm = await scripted(s, {
    ...listing('read'),
    knows: (session) => session === known,
    'tools/call': () => text('done')
  });
  const {raw, begin} = await startRaw(s, {crm});
  const session = await begin();
  const call = () => raw('tools/call', {name: 'crm__read'}, {session});
  assert.equal((await call()).json.result.content[0].text, 'done');
  known = 'scripted-2';
  assert.equal((await call()).json.result.content[0].text, 'done');
  known = 'scripted-3';
  assert.equal((await raw('tools/list', {}, {session})).json.result.tools.length, 1);
  assert.equal(crm.messages('initialize').length, 3);
});

scenario('it costs once, whichever way it goes, and a spent budget says so', async (s) => {
  const crm = await scripted(s, {...listing('buy'), 'tools/call': () => text('bought')});
  const more = `prices:
  - {upstream: crm, tools: buy, cost: 0.10 USD}
budgets:
  sums: {for: {each: agent}, limit: 0.20 USD per month}
`;
  const {raw, begin} = await startRaw(s, {crm}, {more});
  const joined = await begin(), direct = await begin(undefined, '/crm');
  const buy = async () =>
      (await raw('tools/call', {name: 'crm__buy'}, {session: joined})).json.result;
  assert.equal((await buy()).isError, undefined);
  const there = await raw('tools/call', {name: 'buy'}, {session: direct, path: '/crm'});
  assert.equal(there.json.result.isError, undefined);
  const refused = await buy();
  assert.equal(refused.isError, true);
  assert.equal(refused._meta['reeve/decision'].budget, 'sums');
  assert.equal(crm.messages('tools/call').length, 2);
});

scenario('names that could be two upstreams\' are refused at the start', async (s) => {
  const sidecar = s.launch(await s.configure({
    policy: policyOf([agentEntry('jordan')], openAll('crm_')),
    upstreams: {crm_: {mcp: 'http://127.0.0.1:9/mcp'}}
  }));
  await until(() => sidecar.exit, 'its end');
  assert.equal(sidecar.exit.code, 2);
  assert.match(sidecar.stderr, /`crm_` ends in `_`/);
});

scenario('the parts of a call are proven by what proves the call', async (s) => {
  const crm = await scripted(s, {...listing('read'), 'tools/call': () => text('done')});
  const own = agentEntry('jordan', {identity: `unix_uid: ${process.getuid()}`});
  const folder = s.folder();
  const wiring = await s.configure({
    folder,
    policy: policyOf([own], openAll('crm')),
    upstreams: {crm: {mcp: crm.url}},
    listen: (port) =>
        [{name: 'local', address: `127.0.0.1:${port}`}, {name: 'unix', address: 'unix:agents.sock'}]
  });
  const sidecar = await s.launch(wiring).ready();
  const send = (session, message) => run('curl', [
    '-sS', '-i', '--unix-socket', join(folder, 'agents.sock'), 'http://localhost/mcp', '-H',
    'Content-Type: application/json', '-H', 'Accept: application/json, text/event-stream',
    ...(session ? ['-H', `Mcp-Session-Id: ${session}`] : []), '-d', JSON.stringify(message)
  ]);
  const begun = await send(null, {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: {protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {name: 'c', version: '1'}}
  });
  const session = begun.out.match(/mcp-session-id: (\S+)/i)[1];
  const called = await send(
      session, {jsonrpc: '2.0', id: 2, method: 'tools/call', params: {name: 'crm__read'}});
  assert.match(called.out, /done/);
  const [{decision}] = await sidecar.records({action: 'tools/call'});
  assert.equal(decision.listener, 'unix');
  assert.equal(decision.agent, 'jordan');
});

scenario('streams that are open end when the sidecar does', async (s) => {
  const {token, url, sidecar} = await startThree(s);
  const client = await clients['sdk 1.32'](url, token);
  await until(
      () => sidecar.audit({kind: 'decision', action: 'GET', upstream: 'every'}).length,
      'the stream of a server');
  assert.deepEqual(await sidecar.stop(), {code: 0, signal: null});
  await client.close();
});
