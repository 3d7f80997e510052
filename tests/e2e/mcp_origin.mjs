// An MCP server of both eras in the test's own process, from the official server SDK, that keeps
// what it ran.
import {toNodeHandler} from '@modelcontextprotocol/node';
import {createMcpHandler, McpServer} from '@modelcontextprotocol/server';
import http from 'node:http';
import {z} from 'zod';

// {url, ran: [{tool, args}], requests: [headers], close}. Tools: add (read), drop (write), slow
// (progress, then done).
export async function mcpOrigin(s) {
  const ran = [];
  const requests = [];
  const text = (value) => ({content: [{type: 'text', text: String(value)}]});
  const handler = createMcpHandler(() => {
    const server = new McpServer({name: 'fixture', version: '1'});
    server.registerTool(
        'add', {description: 'Adds', inputSchema: z.object({a: z.number(), b: z.number()})},
        (args) => {
          ran.push({tool: 'add', args});
          return text(args.a + args.b);
        });
    server.registerTool(
        'drop', {description: 'Drops', inputSchema: z.object({table: z.string().optional()})},
        (args) => {
          ran.push({tool: 'drop', args});
          return text('dropped');
        });
    server.registerResource(
        'note', 'note://open/1', {}, (uri) => ({contents: [{uri: uri.href, text: 'open note'}]}));
    server.registerResource(
        'secret', 'note://secret/1', {},
        (uri) => ({contents: [{uri: uri.href, text: 'secret note'}]}));
    return server;
  });
  const serve = toNodeHandler(handler);
  const server = http.createServer((request, response) => {
    requests.push(request.headers);
    serve(request, response);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  s.defer(stop);
  return {url: `http://127.0.0.1:${server.address().port}/mcp`, ran, requests, stop};
}
