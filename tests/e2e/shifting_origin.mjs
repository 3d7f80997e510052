// An MCP server in the test's own process, from either line of the official SDK, whose tools are
// what the test says at the moment: a server that changes what it is while it runs. It keeps what
// reached it.
import {toNodeHandler} from '@modelcontextprotocol/node';
import {Server as LegacyServer} from '@modelcontextprotocol/sdk/server/index.js';
import {StreamableHTTPServerTransport} from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {CallToolRequestSchema, ListToolsRequestSchema} from '@modelcontextprotocol/sdk/types.js';
import {createMcpHandler, Server as ModernServer} from '@modelcontextprotocol/server';
import {randomUUID} from 'node:crypto';
import http from 'node:http';

export const tool = (name, more = {}) =>
    ({name, description: `Does ${name}`, inputSchema: {type: 'object', properties: {}}, ...more});

// What both SDKs serve. `state` is the test's to change: `tools`, `instructions`, `perPage` (0: all
// on one page); `ran` has {tool, args} of each call that arrived, `asked` the method of each
// request.
class Shifting {
  ran = [];
  asked = [];
  perPage = 0;
  instructions = undefined;
  constructor(tools) {
    this.tools = tools;
  }
  list(cursor) {
    this.asked.push('tools/list');
    const tools = this.toolsFor?.() ?? this.tools;
    if (this.perPage === 0) return {tools};
    const from = Number(cursor ?? 0), to = from + this.perPage;
    return {tools: tools.slice(from, to), ...(to < tools.length && {nextCursor: String(to)})};
  }
  call({name, arguments: args}) {
    this.ran.push({tool: name, args});
    return {content: [{type: 'text', text: `ran ${name}`}]};
  }
}

function build(shifting, server, methods) {
  server.setRequestHandler(methods.list, (request) => shifting.list(request.params?.cursor));
  server.setRequestHandler(methods.call, (request) => shifting.call(request.params));
  return server;
}

const about = (shifting) => [{name: 'shifting', version: '1'}, {
  capabilities: {tools: {listChanged: true}},
  ...(shifting.instructions && {instructions: shifting.instructions})
}];

// SDK 1.32: sessions, of 2025-11-25; `json`: answers in JSON, else as events.
function legacy(shifting, json) {
  const sessions = new Map();
  // Of sessions that have ended nobody can be told.
  shifting.tellChanged = () =>
      Promise.allSettled([...sessions.values()].map(({server}) => server.sendToolListChanged()));
  return async (request, response) => {
    const known = sessions.get(request.headers['mcp-session-id']);
    if (known) return known.transport.handleRequest(request, response);
    const server = build(
        shifting, new LegacyServer(...about(shifting)),
        {list: ListToolsRequestSchema, call: CallToolRequestSchema});
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: json,
      onsessioninitialized: (id) => sessions.set(id, {server, transport})
    });
    await server.connect(transport);
    return transport.handleRequest(request, response);
  };
}

// SDK 2.4: both eras, without sessions.
function modern(shifting, json) {
  const handler = createMcpHandler(
      () => build(
          shifting, new ModernServer(...about(shifting)), {list: 'tools/list', call: 'tools/call'}),
      {responseMode: json ? 'auto' : 'sse'});
  shifting.tellChanged = async () => handler.notify.toolsChanged();
  return toNodeHandler(handler);
}

// {url, tools, ran, asked, requests, tellChanged()}. `sdk`: '1.32' or '2.4'; `before(request,
// response)` may answer a request itself (true: done).
export async function shiftingOrigin(s, tools, {sdk = '2.4', json = true, socket} = {}) {
  const shifting = new Shifting(tools);
  shifting.requests = [];
  const serve = sdk === '2.4' ? modern(shifting, json) : legacy(shifting, json);
  const server = http.createServer((request, response) => {
    shifting.requests.push({method: request.method, headers: request.headers});
    if (shifting.before?.(request, response)) return;
    serve(request, response);
  });
  await new Promise((done) => server.listen(...(socket ? [socket] : [0, '127.0.0.1']), done));
  s.defer(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  shifting.url =
      socket ? `http://unix:${socket}:/mcp` : `http://127.0.0.1:${server.address().port}/mcp`;
  return shifting;
}
