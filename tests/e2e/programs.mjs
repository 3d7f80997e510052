// What the tests of real programs share: the official servers with a tap before them, the policy
// that each gets, and the four things that every program is asked to do.
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import {join} from 'node:path';

import {agentEntry, assert, freePort, policyOf, root, until} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

export const modules = join(root, 'tests/node_modules');
const official = join(modules, '@modelcontextprotocol');
export const supergateway = join(modules, 'supergateway/dist/index.js');

// Each has a tool that is allowed, one that no list shows, and one whose arguments decide.
export const servers = {
  everything: {
    words: () => [join(official, 'server-everything/dist/index.js'), 'stdio'],
    rules: `    allow:
      - {id: some, upstream: tools, tools: [echo, get-sum]}
    deny:
      - {id: no-env, upstream: tools, tools: get-env, because: It shows secrets}
      - {id: small, upstream: tools, tools: get-sum, when: {args.a: {above: 100}}, because: Too much}
`,
    visible: ['echo', 'get-sum'],
    allowed: ['echo', {message: 'hi "there" \u2603'}, /Echo: hi "there" \u2603/],
    denied: ['get-env', {}, /no-env/],
    refused: ['get-sum', {a: 101, b: 1}, /small/],
  },
  filesystem: {
    words: (folder) => [join(official, 'server-filesystem/dist/index.js'), folder],
    rules: `    allow:
      - {id: some, upstream: tools, tools: [read_text_file, list_directory]}
    deny:
      - {id: no-writing, upstream: tools, tools: write_file, because: Readers do not write}
      - id: no-keys
        upstream: tools
        tools: read_text_file
        when: {args.path: {glob: "*.key"}}
        because: Keys stay where they are
`,
    visible: ['list_directory', 'read_text_file'],
    allowed: (folder) => ['read_text_file', {path: join(folder, 'note.txt')}, /what is noted/],
    denied:
        (folder) => ['write_file', {path: join(folder, 'note.txt'), content: 'x'}, /no-writing/],
    refused: (folder) => ['read_text_file', {path: join(folder, 'tls.key')}, /no-keys/],
  },
  memory: {
    words: () => [join(official, 'server-memory/dist/index.js')],
    rules: `    allow:
      - {id: some, upstream: tools, tools: [create_entities, search_nodes, read_graph]}
    deny:
      - {id: no-forgetting, upstream: tools, tools: "delete_*", because: Nothing is forgotten}
      - id: no-people
        upstream: tools
        tools: create_entities
        when: {args.entities.*.entityType: {any: {is: person}}}
        because: People are not kept
`,
    visible: ['create_entities', 'read_graph', 'search_nodes'],
    allowed: [
      'create_entities',
      {entities: [{name: 'reeve', entityType: 'proxy', observations: ['small']}]}, /reeve/
    ],
    denied: ['delete_entities', {entityNames: ['reeve']}, /no-forgetting/],
    refused: [
      'create_entities', {entities: [{name: 'dana', entityType: 'person', observations: []}]},
      /no-people/
    ],
  },
  // Not an official one, but of both eras (mcp_origin.mjs).
  modern: {
    rules: `    allow:
      - {id: adding, upstream: tools, tools: add}
    deny:
      - {id: no-drop, upstream: tools, tools: drop, because: Tables stay}
      - {id: small, upstream: tools, tools: add, when: {args.a: {above: 100}}, because: Too much}
`,
    visible: ['add'],
    allowed: ['add', {a: 2, b: 3}, /5/],
    denied: ['drop', {}, /no-drop/],
    refused: ['add', {a: 101, b: 1}, /small/],
  },
};

// Passes on to a server on another port, and keeps the bodies of what it passes.
function tap(s, port, bodies) {
  const pass = (request, response) => {
    const {method, url, headers} = request;
    const on = http.request(
        {host: '127.0.0.1', port, method, path: url, headers, agent: false}, (answer) => {
          response.writeHead(answer.statusCode, answer.headers);
          response.flushHeaders();
          answer.on('error', () => response.destroy());
          answer.pipe(response);
        });
    on.on('error', () => response.destroy());
    response.on('close', () => on.destroy());
    let body = '';
    request.on('data', (data) => {
      body += data;
    });
    request.on('end', () => body && bodies.push(body));
    request.pipe(on);
  };
  pass.streams = true;
  return s.origin(pass);
}

// How the upstream `tools` of reeve.yaml is reached, and `seen`, the messages that reached it; of
// `modern` also `requests`, the header fields of each.
export async function serve(s, name, over, folder) {
  if (name === 'modern') {
    const origin = await mcpOrigin(s);
    const seen = () => origin.ran.map(
        ({tool, args}) => ({method: 'tools/call', params: {name: tool, arguments: args}}));
    return {mcp: origin.url, seen, requests: origin.requests};
  }
  if (name === 'everything' && over === 'http') {
    const bodies = [];
    const {port} = await s.everything();
    const at = await tap(s, port, bodies);
    return {mcp: at.url('/mcp'), seen: () => bodies.map((body) => JSON.parse(body))};
  }
  const file = join(folder, 'reached');
  const seen = () => existsSync(file) ?
      readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line)) :
      [];
  const command = [
    process.execPath, join(root, 'tests/e2e/stdio_tap.mjs'), file, process.execPath,
    ...servers[name].words(join(folder, 'files'))
  ];
  if (over === 'stdio')
    return {mcp: {command, env: {MEMORY_FILE_PATH: join(folder, 'memory.jsonl')}}, seen};
  return {...await behindSupergateway(s, command, folder, over), seen};
}

// A server by its command, served by supergateway over HTTP; `sse`: over the older transport.
async function behindSupergateway(s, command, folder, over) {
  const port = await freePort();
  const transport = over === 'sse' ? ['--outputTransport', 'sse'] :
                                     ['--outputTransport', 'streamableHttp', '--stateful'];
  await s.server(
      process.execPath,
      [
        supergateway, '--stdio', command.map((word) => `'${word}'`).join(' '), '--port',
        String(port), '--healthEndpoint', '/healthz', ...transport
      ],
      {port, path: '/healthz', env: {MEMORY_FILE_PATH: join(folder, 'memory.jsonl')}});
  return {
    mcp: over === 'sse' ? {sse: `http://127.0.0.1:${port}/sse`} : `http://127.0.0.1:${port}/mcp`
  };
}

// A sidecar with one agent and one upstream, `tools`.
export async function start(s, name, over = 'http', {identity, listen} = {}) {
  const folder = s.folder();
  mkdirSync(join(folder, 'files'));
  writeFileSync(join(folder, 'files/note.txt'), 'what is noted');
  writeFileSync(join(folder, 'files/tls.key'), 'what is secret');
  const {mcp, seen, requests} = await serve(s, name, over, folder);
  const jordan = agentEntry('jordan', identity ? {identity} : {});
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], servers[name].rules), upstreams: {tools: {mcp}}, listen});
  const of = (what) => {
    const value = servers[name][what];
    return typeof value === 'function' ? value(join(folder, 'files')) : value;
  };
  const url = `http://127.0.0.1:${sidecar.port}/tools`;
  return {sidecar, url, token: jordan.token, folder, seen, requests, of};
}

// What every program is asked to do, through `list` (names of tools) and `call` (what the program
// shows of the result, as text; a failure that it throws counts as shown), and what must come of
// it. `unlisted`: what a program says that calls nothing but what was listed.
export async function exercise(world, {list, call, unlisted}) {
  const {sidecar, seen, of} = world;
  assert.deepEqual((await list()).sort(), of('visible'), 'the list is filtered');
  for (const what of ['allowed', 'denied', 'refused']) {
    const [tool, args, shown] = of(what);
    const wanted = what === 'denied' && unlisted ? unlisted : shown;
    assert.match(await call(tool, args), wanted, what);
  }
  const reached = () => seen()
                            .filter(({method}) => method === 'tools/call')
                            .map(({params}) => [params.name, params.arguments]);
  const [tool, args] = of('allowed');
  await until(() => reached().length > 0, 'the call at the server');
  assert.deepEqual(reached(), [[tool, args]], 'nothing else reached the server');
  const refusals = (unlisted ? ['refused'] : ['denied', 'refused']).map(of);
  const records = await sidecar.records({action: 'tools/call'}, 1 + refusals.length);
  assert.deepEqual(
      records.map(({decision}) => [decision.agent, decision.target, decision.decision]),
      [['jordan', tool, 'allow'], ...refusals.map(([name]) => ['jordan', name, 'deny'])]);
  for (const [i, [, , rule]] of refusals.entries()) {
    assert.match(records[i + 1].decision.rule, rule, 'the rule in the record');
    assert.match(records[i + 1].decision.at, /policy\.yaml:\d+/);
  }
  assert.match(records[0].decision.args_sha256, /^[0-9a-f]{64}$/);
}

export const textOf = (result) => {
  const text = result.content.map((item) => item.text ?? '').join('\n');
  return `${result.isError ? 'isError: ' : ''}${text}`;
};
// The list and the calls of an official client, of either line.
export const clientOf = (client) => ({
  list: async () => (await client.listTools()).tools.map(({name}) => name),
  call: async (name, args) => textOf(await client.callTool({name, arguments: args})),
});
