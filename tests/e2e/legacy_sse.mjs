// Servers that speak HTTP+SSE (MCP 2024-11-05): one of the official SDK, and one that a test tells
// what to say.
import {McpServer} from '@modelcontextprotocol/sdk/server/mcp.js';
import {SSEServerTransport} from '@modelcontextprotocol/sdk/server/sse.js';
import http from 'node:http';
import {z} from 'zod';

export const initialize = {
  jsonrpc: '2.0',
  id: 'first',
  method: 'initialize',
  params: {protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {name: 'e', version: '1'}}
};

async function listen(s, handler) {
  const server = http.createServer(handler);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  s.defer(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  return server.address().port;
}

// {url, requests, ran, open(): streams that are open}. Tools: add, steps (with progress), ask (the
// client's model), secret.
export async function oldServer(s) {
  const transports = new Map();
  const requests = [], ran = [];
  const text = (value) => ({content: [{type: 'text', text: String(value)}]});
  const make = () => {
    const server = new McpServer({name: 'old', version: '1'});
    const tool = (name, inputSchema, run) =>
        server.registerTool(name, {description: name, inputSchema}, (args, extra) => {
          ran.push(name);
          return run(args, extra);
        });
    tool('add', {a: z.number(), b: z.number()}, ({a, b}) => text(a + b));
    tool('secret', {}, () => text('secret'));
    tool('steps', {}, async (args, {_meta, sendNotification}) => {
      for (const progress of [1, 2, 3])
        await sendNotification({
          method: 'notifications/progress',
          params: {progressToken: _meta.progressToken, progress}
        });
      // Progress that comes with the answer is lost in SDK clients.
      await new Promise((done) => setTimeout(done, 100));
      return text('done');
    });
    tool('ask', {}, async () => {
      const said = await server.server.createMessage(
          {messages: [{role: 'user', content: {type: 'text', text: 'hi'}}], maxTokens: 5});
      return text(said.content.text);
    });
    return server;
  };
  const port = await listen(s, async (request, response) => {
    requests.push({method: request.method, url: request.url, headers: request.headers});
    const {pathname, searchParams} = new URL(request.url, 'http://localhost');
    if (request.method === 'GET' && pathname === '/sse') {
      const transport = new SSEServerTransport('/messages', response);
      transports.set(transport.sessionId, transport);
      response.on('close', () => transports.delete(transport.sessionId));
      return make().connect(transport);
    }
    const transport = transports.get(searchParams.get('sessionId'));
    if (!transport) return response.writeHead(404).end();
    return transport.handlePostMessage(request, response);
  });
  return {url: `http://127.0.0.1:${port}/sse`, requests, ran, open: () => transports.size};
}

// `greet(stream)` for each stream that is opened, `hear(stream, message, response)` for each
// message that is posted. `posted`: {url, message}.
export async function sseServer(s, greet, hear = (stream, message, response) => response.end()) {
  const posted = [];
  let stream;
  const port = await listen(s, async (request, response) => {
    response.on('error', () => {});
    if (request.method === 'GET') {
      stream = response;
      response.writeHead(200, {'Content-Type': 'text/event-stream'});
      response.flushHeaders();
      return greet(response);
    }
    let body = '';
    for await (const part of request) body += part;
    const message = JSON.parse(body);
    posted.push({url: request.url, message});
    hear(stream, message, response);
  });
  return {url: `http://127.0.0.1:${port}/sse`, port, posted};
}
