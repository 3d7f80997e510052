// An MCP server of both eras on standard input and output, from the official server SDK, with tools
// that misbehave. Run by the sidecar, not imported.
import {McpServer} from '@modelcontextprotocol/server';
import {serveStdio} from '@modelcontextprotocol/server/stdio';
import {appendFileSync} from 'node:fs';
import {z} from 'zod';

const ran = (entry) => process.env.RAN && appendFileSync(process.env.RAN, `${entry}\n`);
const text = (value) => ({content: [{type: 'text', text: String(value)}]});
ran(`start ${process.pid}`);
process.on('SIGTERM', () => {
  if (!process.env.STUBBORN) process.exit(0);
});
if (process.env.STUBBORN) setInterval(() => {}, 1000);

serveStdio(() => {
  const server = new McpServer({name: 'fixture', version: '1'});
  const tool = (name, shape, run) =>
      server.registerTool(name, {description: name, inputSchema: z.object(shape)}, run);
  tool('add', {a: z.number(), b: z.number()}, ({a, b}) => {
    ran(`add ${a} ${b}`);
    return text(a + b);
  });
  tool('secret', {}, () => {
    ran('secret');
    return text('secret');
  });
  tool('environment', {}, () => text(JSON.stringify(process.env)));
  tool('where', {}, () => text(process.cwd()));
  tool('who', {}, () => text(process.pid));
  tool('wait', {ms: z.number(), label: z.string()}, async ({ms, label}, context) => {
    const signal = context?.mcpReq?.signal ?? context?.signal;
    ran(`waiting ${label}`);
    await new Promise((done) => {
      const timer = setTimeout(done, ms);
      signal?.addEventListener('abort', () => {
        ran(`cancelled ${label}`);
        clearTimeout(timer);
        done();
      });
    });
    return text(label);
  });
  tool('die', {}, () => process.exit(3));
  tool('garbage', {}, () => {
    process.stdout.write('this is no message\n\n{"jsonrpc":"2.0"\n[1,2]\n{"id":{}}\n');
    return text('after garbage');
  });
  tool('complain', {}, () => {
    process.stderr.write('a complaint\u001b[31m in red\n');
    return text('complained');
  });
  tool('flood', {bytes: z.number()}, ({bytes}) => text('x'.repeat(bytes)));
  return server;
});
