// The official servers work unmodified behind the sidecar, over HTTP and started by their command,
// for a client that speaks HTTP and for one that starts `reeve stdio`.
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {StdioClientTransport} from '@modelcontextprotocol/sdk/client/stdio.js';
import {StreamableHTTPClientTransport} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {join} from 'node:path';

import {binary, scenario} from './lib.mjs';
import {clientOf, exercise, start} from './programs.mjs';

const transports = {
  'over HTTP': (world) => new StreamableHTTPClientTransport(
      new URL(world.url), {requestInit: {headers: {Authorization: `Bearer ${world.token}`}}}),
  'by reeve stdio': (world) => new StdioClientTransport({
    command: binary,
    args: ['stdio', '--agent', 'jordan', '-c', join(world.sidecar.folder, 'reeve.yaml'), 'tools'],
    env: {REEVE_TOKEN: world.token},
    stderr: 'ignore'
  }),
};

for (const server of ['everything', 'filesystem', 'memory']) {
  for (const over of ['http', 'stdio']) {
    for (const [how, transport] of Object.entries(transports)) {
      scenario(`${server} by ${over}, to a client ${how}`, async (s) => {
        const world = await start(s, server, over);
        const client = new Client({name: 'e2e', version: '1'});
        await client.connect(transport(world));
        await exercise(world, clientOf(client));
        await client.close();
      });
    }
  }
}
