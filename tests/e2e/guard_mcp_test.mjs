// Guards on the wire of MCP: the official clients of both lines with an official server, and raw
// messages with a server that answers whatever it is told, as JSON or as events.
import {Client as ModernClient, StreamableHTTPClientTransport as ModernHttp} from '@modelcontextprotocol/client';
import {toNodeHandler} from '@modelcontextprotocol/node';
import {Client as LegacyClient} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport as LegacyHttp} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {createMcpHandler, McpServer} from '@modelcontextprotocol/server';
import {z} from 'zod';

import {agentEntry, assert, policyOf, scenario, until} from './lib.mjs';

const mail = 'jane.roe@example.com';
const card = '4111 1111 1111 1111';

const clients = {
  'sdk 1.32': (options) => [new LegacyClient({name: 'e2e', version: '1'}), LegacyHttp],
  'client 2.4, legacy': () => [new ModernClient({name: 'e2e', version: '1'}), ModernHttp],
  'client 2.4, auto': () =>
      [new ModernClient({name: 'e2e', version: '1'}, {versionNegotiation: {mode: 'auto'}}),
       ModernHttp],
};

async function connect(open, sidecar, token) {
  const [client, Transport] = open();
  await client.connect(new Transport(
      new URL(`http://127.0.0.1:${sidecar.port}/crm`),
      {requestInit: {headers: {Authorization: `Bearer ${token}`}}}));
  return client;
}

// A CRM of the official server SDK, for both eras, that keeps what it ran.
async function crm(s) {
  const ran = [];
  const handler = toNodeHandler(createMcpHandler(() => {
    const server = new McpServer({name: 'crm', version: '1'});
    server.registerTool(
        'look-up', {
          description: `Ask ${mail} for help`,
          inputSchema: z.object({name: z.string()}),
          outputSchema: z.object({to: z.string(), birth_date: z.string()})
        },
        (args) => {
          ran.push(args);
          const found = {to: mail, birth_date: '1970-01-02'};
          return {
            content: [
              {type: 'text', text: JSON.stringify(found)}, {type: 'text', text: `Write to ${mail}`}
            ],
            structuredContent: found
          };
        });
    server.registerTool('fail', {inputSchema: z.object({})}, () => {
      throw new Error(`no such customer: ${mail}`);
    });
    server.registerTool(
        'free', {inputSchema: z.object({})}, () => ({content: [{type: 'text', text: mail}]}));
    server.registerResource(
        'card', 'crm://card', {},
        (uri) => ({contents: [{uri: uri.href, text: `pays by ${card}`}]}));
    server.registerPrompt('greet', {argsSchema: z.object({to: z.string()})}, ({to}) => {
      ran.push({to});
      return {messages: [{role: 'user', content: {type: 'text', text: `Greet ${to} and ${mail}`}}]};
    });
    return server;
  }));
  const origin = await s.origin(
      Object.assign((request, response) => handler(request, response), {streams: true}));
  return {url: origin.url('/mcp'), ran};
}

const rules = (then) => `    allow:
      - {id: guarded, upstream: crm, tools: [look-up, fail], guards: [pii]}
      - {id: free, upstream: crm, tools: free}
      - {id: card, upstream: crm, resources: "crm://**", guards: [pii]}
      - {id: greet, upstream: crm, prompts: greet, guards: [pii]}
guards:
  pii: {patterns: [email, credit-card], fields: [birth_date], on: both, then: ${then}}
`;

for (const [name, open] of Object.entries(clients)) {
  scenario(`${name}: what is found is redacted, both ways`, async (s) => {
    const {url, ran} = await crm(s);
    const jordan = agentEntry('jordan');
    const sidecar = await s.sidecar(
        {policy: policyOf([jordan], rules('redact')), upstreams: {crm: {mcp: url}}});
    const client = await connect(open, sidecar, jordan.token);
    const {tools} = await client.listTools();
    assert.match(tools[0].description, /jane/, 'what a server says of itself is not looked at');

    const found = await client.callTool({name: 'look-up', arguments: {name: `Jane <${mail}>`}});
    assert.deepEqual(ran, [{name: 'Jane <[redacted: email]>'}]);
    assert.deepEqual(
        found.structuredContent, {to: '[redacted: email]', birth_date: '[redacted: field]'});
    assert.deepEqual(found.content.map(({text}) => text), [
      '{"to":"[redacted: email]","birth_date":"[redacted: field]"}', 'Write to [redacted: email]'
    ]);
    const failed = await client.callTool({name: 'fail', arguments: {}});
    assert.equal(failed.isError, true);
    assert.equal(failed.content[0].text, 'no such customer: [redacted: email]');
    assert.equal((await client.callTool({name: 'free', arguments: {}})).content[0].text, mail);
    assert.equal(
        (await client.readResource({uri: 'crm://card'})).contents[0].text,
        'pays by [redacted: credit-card]');
    const greeting = await client.getPrompt({name: 'greet', arguments: {to: mail}});
    assert.equal(
        greeting.messages[0].content.text, 'Greet [redacted: email] and [redacted: email]');
    assert.deepEqual(ran[1], {to: '[redacted: email]'});
    const [{decision, outcome}] = await sidecar.records({target: 'look-up'});
    assert.deepEqual(decision.found, {pii: {email: 1}});
    assert.deepEqual(outcome.found, {pii: {email: 3, birth_date: 2}});
    assert.match(decision.args_sha256, /^[0-9a-f]{64}$/);
    assert.ok(!JSON.stringify(sidecar.audit()).includes('jane.roe'));
    await client.close();
  });

  scenario(`${name}: what is found is denied, and the client can read why`, async (s) => {
    const {url, ran} = await crm(s);
    const jordan = agentEntry('jordan', {more: '    budget: 10 calls per day\n'});
    const sidecar =
        await s.sidecar({policy: policyOf([jordan], rules('deny')), upstreams: {crm: {mcp: url}}});
    const client = await connect(open, sidecar, jordan.token);
    const asked = await client.callTool({name: 'look-up', arguments: {name: mail}});
    assert.equal(asked.isError, true);
    assert.match(asked.content[0].text, /guard pii found email in the arguments\. Do not retry/);
    assert.equal(asked._meta['reeve/decision'].guard, 'pii');
    assert.deepEqual(ran, []);
    const told = await client.callTool({name: 'look-up', arguments: {name: 'Jane'}});
    assert.equal(told.isError, true);
    assert.equal(told.structuredContent, undefined);
    assert.match(told.content[0].text, /guard pii found .*email.* in the result/);
    assert.ok(!JSON.stringify(told).includes('jane.roe'));
    assert.deepEqual(ran, [{name: 'Jane'}]);
    await assert.rejects(client.readResource({uri: 'crm://card'}), (error) => error.code === 403);
    await assert.rejects(
        client.getPrompt({name: 'greet', arguments: {to: 'Jo'}}), (error) => error.code === 403);
    assert.equal((await client.callTool({name: 'free', arguments: {}})).content[0].text, mail);
    const [first, second] = await sidecar.records({target: 'look-up'}, 2);
    assert.deepEqual([first.decision.reason, 'upstream_ms' in first.outcome], ['guard', false]);
    assert.deepEqual(
        [
          second.decision.decision, second.outcome.decision, second.outcome.reason,
          second.outcome.guard
        ],
        ['allow', 'deny', 'guard', 'pii']);
    await client.close();
  });
}

// A server that answers each POST as `said.answer(message)` says: {json}, {events} or {raw, type}.
async function scripted(s, {then = 'redact', mode = '', roleGuards = false} = {}) {
  const said = {};
  const origin = await s.origin((request, response, {body}) => {
    const message = body ? JSON.parse(body) : {};
    const answer = said.answer(message, request);
    if (answer.events) {
      response.writeHead(200, {'Content-Type': 'text/event-stream'});
      return response.end(
          answer.events
              .map((each) => `data: ${typeof each === 'string' ? each : JSON.stringify(each)}\n\n`)
              .join(''));
    }
    response.writeHead(answer.status ?? 200, {'Content-Type': answer.type ?? 'application/json'});
    response.end(answer.raw ?? (answer.json ? JSON.stringify(answer.json) : ''));
  });
  const jordan = agentEntry('jordan');
  const text = roleGuards ? '    guards: [pii]\n' + rules(then).replaceAll(', guards: [pii]', '') :
                            rules(then);
  const sidecar = await s.sidecar(
      {policy: mode + policyOf([jordan], text), upstreams: {crm: {mcp: origin.url('/mcp')}}});
  const call = (name, args = {}, more = {}, id = 7) => sidecar.rpc(
      '/crm', {jsonrpc: '2.0', id, method: 'tools/call', params: {name, arguments: args, ...more}},
      {token: jordan.token});
  return {said, origin, sidecar, call, token: jordan.token};
}

const result = (id, text) => ({jsonrpc: '2.0', id, result: {content: [{type: 'text', text}]}});
const messagesOf = ({body}) => body.split('\n')
                                   .filter((line) => line.startsWith('data: '))
                                   .map((line) => JSON.parse(line.slice(6)));

scenario('messages beside the answer are looked at by every guard of the upstream', async (s) => {
  const {said, sidecar, call} = await scripted(s);
  const others = [
    {jsonrpc: '2.0', method: 'notifications/message', params: {level: 'info', data: `saw ${mail}`}},
    {
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: {progressToken: mail, progress: 1, message: mail}
    },
    {jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: {message: `Is it ${mail}?`}},
    result(8, mail),
    {jsonrpc: '2.0', id: 9, error: {code: -1, message: `no ${mail}`, data: [mail]}},
  ];
  said.answer = () => ({events: [...others, result(7, mail)]});
  // The call itself has no guard: its answer goes on as it is, the rest may be about others.
  const more = {_meta: {progressToken: mail}};
  const free = messagesOf(await call('free', {}, more));
  assert.deepEqual(
      free.map((each) => each.method ?? each.id),
      ['notifications/message', 'notifications/progress', 'elicitation/create', 7]);
  assert.equal(free[0].params.data, 'saw [redacted: email]');
  assert.deepEqual(
      free[1].params, {progressToken: mail, progress: 1, message: '[redacted: email]'});
  assert.equal(free[2].params.message, 'Is it [redacted: email]?');
  assert.equal(free[3].result.content[0].text, mail);
  const guarded = messagesOf(await call('look-up', {}, more));
  assert.equal(guarded[3].result.content[0].text, '[redacted: email]');
  const [{outcome}] = await sidecar.records({target: 'free'});
  assert.deepEqual(outcome.found, {pii: {email: 3}});
  assert.equal(outcome.dropped, 2);
});

scenario('a denied answer among events becomes a refusal; the rest is left out', async (s) => {
  const {said, sidecar, call} = await scripted(s, {then: 'deny'});
  said.answer = () => ({
    events: [
      {jsonrpc: '2.0', method: 'notifications/message', params: {data: mail}}, result(8, mail),
      {jsonrpc: '2.0', method: 'notifications/message', params: {data: 'fine'}}, result(7, mail)
    ]
  });
  const [fine, own, ...more] = messagesOf(await call('look-up'));
  assert.equal(fine.params.data, 'fine');
  assert.deepEqual([own.id, own.result.isError], [7, true]);
  assert.match(own.result.content[0].text, /guard pii found email in the result/);
  assert.deepEqual(more, []);
  const [{outcome}] = await sidecar.records({target: 'look-up'});
  assert.deepEqual(
      [outcome.decision, outcome.reason, outcome.found], ['deny', 'guard', {pii: {email: 2}}]);
});

scenario('answers that cannot be looked at are refused', async (s) => {
  const {said, call} = await scripted(s);
  const refused = [
    {raw: `{"jsonrpc":"2.0","id":7,"result":{},"result":{"a":"${mail}"}}`},
    {raw: `[${JSON.stringify(result(7, mail))}]`},
    {raw: `{"jsonrpc":"2.0","id":7,"Result":{"a":"${mail}"}}`},
    {raw: JSON.stringify(result(7, mail)), type: 'application/octet-stream'},
    {raw: Buffer.from(JSON.stringify(result(7, mail)), 'utf16le')},
    {json: result(7, `{"birth_date": 1970, ${mail}`)},  // a place, in what is no JSON
  ];
  for (const answer of refused) {
    said.answer = () => answer;
    const got = await call('look-up');
    assert.equal(got.status, 502, JSON.stringify(answer));
    assert.equal(got.json.error.code, -32603);
    assert.match(
        got.json.error.message, /guard pii cannot look at the result|answer cannot be passed on/);
    assert.ok(!got.body.includes('jane'), got.body);
  }
  for (const event
           of ['{"jsonrpc":"2.0","id":7,"result":', `[${JSON.stringify(result(7, mail))}]`]) {
    said.answer = () => ({events: [event]});
    const cut = await call('look-up').catch((error) => ({body: '', error}));
    assert.ok(!cut.body.includes('jane') && (cut.error || !cut.json), JSON.stringify(cut.body));
  }
  // Tables and JSON in texts are read.
  said.answer = () => ({json: result(7, 'name,birth_date\nJane,1970-01-02\n')});
  assert.equal(
      (await call('look-up')).json.result.content[0].text,
      'name,birth_date\nJane,[redacted: field]\n');
  said.answer = () => ({status: 202});
  assert.equal((await call('look-up')).status, 202);
});

scenario('what an agent sends: arguments, answers, what comes beside them', async (s) => {
  const {said, origin, sidecar, call, token} = await scripted(s, {roleGuards: true});
  said.answer = () => ({json: result(7, 'ok')});
  const reached = () => JSON.parse(origin.requests.at(-1).body);
  await call(
      'look-up',
      {name: 'a', pan: '\u0034111 1111 1111 1111', deep: [{birth_date: 1}], n: 4111111111111111});
  assert.deepEqual(reached().params.arguments, {
    name: 'a',
    pan: '[redacted: credit-card]',
    deep: [{birth_date: 1}],
    n: '[redacted: credit-card]'
  });
  const send = (message, headers = {}) => sidecar.rpc('/crm', message, {token, headers});
  await send({
    jsonrpc: '2.0',
    id: 7,
    method: 'tools/call',
    params: {
      name: 'look-up',
      arguments: {},
      _meta: {progressToken: mail, note: mail},
      inputResponses: {a: {content: {to: mail}}}
    }
  });
  assert.deepEqual(reached().params._meta, {progressToken: mail, note: '[redacted: email]'});
  assert.deepEqual(reached().params.inputResponses, {a: {content: {to: '[redacted: email]'}}});
  said.answer = () => ({
    events: [
      {jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: {message: 'To whom?'}},
      result(7, 'ok')
    ]
  });
  await call('look-up');
  said.answer = () => ({json: result(7, 'ok')});
  await send({jsonrpc: '2.0', id: 'q', result: {action: 'accept', content: {to: mail}}});
  assert.equal(reached().result.content.to, '[redacted: email]');
  await send({
    jsonrpc: '2.0',
    id: 7,
    method: 'tasks/update',
    params: {taskId: 't', inputResponses: {a: mail}}
  });
  assert.deepEqual(reached().params, {taskId: 't', inputResponses: {a: '[redacted: email]'}});
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': {name: 'e2e', version: '1'},
    'io.modelcontextprotocol/clientCapabilities': {}
  };
  const before = origin.requests.length;
  const mirrored = await send(
      {
        jsonrpc: '2.0',
        id: 7,
        method: 'tools/call',
        params: {name: 'look-up', arguments: {to: mail}, _meta: meta}
      },
      {
        'MCP-Protocol-Version': '2026-07-28',
        'Mcp-Method': 'tools/call',
        'Mcp-Name': 'look-up',
        'Mcp-Param-To': mail
      });
  assert.equal(mirrored.json.result.isError, true);
  assert.match(mirrored.json.result.content[0].text, /header fields repeat them/);
  assert.equal(origin.requests.length, before);
});

scenario(
    'a stream of the server, and the results of tasks, by every guard of the upstream',
    async (s) => {
      const {said, sidecar, token, call} = await scripted(s);
      const task = {jsonrpc: '2.0', id: 2, result: {resultType: 'task', taskId: card}};
      said.answer = () => ({json: task});
      assert.equal((await call('free', {}, {}, 2)).json.result.taskId, card);
      said.answer = () => ({events: []});
      await call('free', {}, {}, 3);  // its answer comes on the server's stream
      said.answer = (message, request) => request.method === 'GET' ?
          {
            events: [
              result(3, mail), {
                jsonrpc: '2.0',
                method: 'notifications/tasks',
                params: {taskId: card, result: {text: mail}}
              }
            ]
          } :
          {json: result(message.id, mail)};
      const stream =
          await sidecar.call('GET', '/crm', {token, headers: {Accept: 'text/event-stream'}});
      const [replayed, told] = messagesOf(stream);
      assert.equal(replayed.result.content[0].text, '[redacted: email]');
      assert.deepEqual(told.params, {taskId: card, result: {text: '[redacted: email]'}});
      for (const method of ['tasks/get', 'tasks/result']) {
        const got = await sidecar.rpc(
            '/crm', {jsonrpc: '2.0', id: 5, method, params: {taskId: 't'}}, {token});
        assert.equal(got.json.result.content[0].text, '[redacted: email]', method);
      }
    });

scenario('report mode: nothing changes, all is recorded', async (s) => {
  for (const then of ['redact', 'deny']) {
    const {said, origin, sidecar, call} = await scripted(s, {then, mode: 'mode: report\n'});
    said.answer = ({id}) => ({json: result(id, mail)});
    const got = await call('look-up', {to: mail});
    assert.equal(got.json.result.content[0].text, mail);
    assert.deepEqual(JSON.parse(origin.requests[0].body).params.arguments, {to: mail});
    said.answer = ({id}) => ({events: [result(id, mail)]});
    assert.equal((await call('look-up')).json.result.content[0].text, mail);
    const [first, second] = await sidecar.records({target: 'look-up'}, 2);
    const would = then === 'deny' ? 'deny' : 'allow';
    assert.deepEqual(
        [
          first.decision.decision, first.decision.found, first.outcome.found,
          second.outcome.decision
        ],
        [would, {pii: {email: 1}}, {pii: {email: 1}}, would]);
    await until(
        async () => await sidecar.metric('reeve_calls_total', {decision: would}) >= 2,
        'the metric');
  }
});
