// An MCP server on standard input and output, from the official server SDK, whose tools stand in
// the file TOOLS at the moment; it writes what it ran to RAN. Run by the sidecar, not imported.
import {Server} from '@modelcontextprotocol/server';
import {serveStdio} from '@modelcontextprotocol/server/stdio';
import {appendFileSync, readFileSync} from 'node:fs';

serveStdio(() => {
  const server = new Server({name: 'shifting', version: '1'}, {capabilities: {tools: {}}});
  server.setRequestHandler(
      'tools/list', () => ({tools: JSON.parse(readFileSync(process.env.TOOLS, 'utf8'))}));
  server.setRequestHandler('tools/call', ({params}) => {
    appendFileSync(process.env.RAN, `${params.name}\n`);
    return {content: [{type: 'text', text: `ran ${params.name}`}]};
  });
  return server;
});
