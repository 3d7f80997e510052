// Real client programs work unmodified through the sidecar: each lists its tools, makes a call, is
// told why another is denied, and why a third is not with these arguments.
import {Client as ModernClient, StreamableHTTPClientTransport as ModernHttp} from '@modelcontextprotocol/client';
import {Client as LegacyClient} from '@modelcontextprotocol/sdk/client/index.js';
import {StdioClientTransport} from '@modelcontextprotocol/sdk/client/stdio.js';
import {StreamableHTTPClientTransport as LegacyHttp} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {assert, binary, run, scenario, within} from './lib.mjs';
import {clientOf, exercise, modules, start, supergateway, textOf} from './programs.mjs';

const bearer = (world) => ({Authorization: `Bearer ${world.token}`});

// Nothing of the older revision reached the server.
const onlyModern = ({requests}) => assert.deepEqual(
    new Set(requests.map((headers) => headers['mcp-protocol-version'])), new Set(['2026-07-28']));

const libraries = {
  'sdk 1.32': ['everything', LegacyClient, LegacyHttp, {}],
  'client 2.4, auto, with a legacy server':
      ['everything', ModernClient, ModernHttp, {versionNegotiation: {mode: 'auto'}}],
  'client 2.4, auto': ['modern', ModernClient, ModernHttp, {versionNegotiation: {mode: 'auto'}}],
  'client 2.4, modern':
      ['modern', ModernClient, ModernHttp, {versionNegotiation: {mode: {pin: '2026-07-28'}}}],
};
for (const [name, [server, Client, Transport, options]] of Object.entries(libraries)) {
  scenario(name, async (s) => {
    const world = await start(s, server);
    const client = new Client({name: 'e2e', version: '1'}, options);
    await client.connect(
        new Transport(new URL(world.url), {requestInit: {headers: bearer(world)}}));
    await exercise(world, clientOf(client));
    await client.close();
    if (server === 'modern') onlyModern(world);
  });
}

// Programs that a client starts, and that speak to reeve in its stead.
async function started(world, words, {command = process.execPath, env = {}} = {}) {
  const client = new LegacyClient({name: 'e2e', version: '1'});
  let said = '';
  const transport = new StdioClientTransport({
    command,
    args: words,
    env: {PATH: process.env.PATH, HOME: world.folder, ...env},
    stderr: 'pipe'
  });
  transport.stderr.on('data', (data) => {
    said += data;
  });
  await within(client.connect(transport), 'a connection').catch((error) => {
    throw new Error(`${error.message}\n${said}`);
  });
  return {client, said: () => said};
}

scenario('reeve stdio', async (s) => {
  for (const server of ['everything', 'modern']) {
    const world = await start(s, server);
    const config = join(world.sidecar.folder, 'reeve.yaml');
    const {client} = await started(
        world, ['stdio', '--agent', 'jordan', '-c', config, 'tools'],
        {command: binary, env: {REEVE_TOKEN: world.token}});
    await exercise(world, clientOf(client));
    await client.close();
  }
});

// A browser that is opened leaves a file behind.
function browser(world) {
  const opened = join(world.folder, 'opened');
  const path = join(world.folder, 'xdg-open');
  writeFileSync(path, `#!/bin/sh\necho "$@" >> '${opened}'\n`, {mode: 0o755});
  return {env: {PATH: `${world.folder}:${process.env.PATH}`, BROWSER: path}, opened};
}

for (const [how, listens] of [['a token', false], ['a listener that proves the agent', true]]) {
  scenario(`mcp-remote, by ${how}`, async (s) => {
    const world =
        await start(s, 'everything', 'http', listens ? {identity: 'listener: local'} : {});
    const {env, opened} = browser(world);
    const {client, said} = await started(
        world,
        [
          join(modules, 'mcp-remote/dist/proxy.js'), world.url, '--transport', 'http-only',
          ...(listens ? [] : ['--header', `Authorization:Bearer ${world.token}`])
        ],
        {env: {...env, MCP_REMOTE_CONFIG_DIR: join(world.folder, 'mcp-auth')}});
    await exercise(world, clientOf(client));
    await client.close();
    assert.doesNotMatch(said(), /authoriz\w+ (required|needed)|browser/i);
    assert.ok(!existsSync(opened), 'no browser was opened');
  });
}

scenario('supergateway in front of a client', async (s) => {
  const world = await start(s, 'everything');
  const {client} = await started(world, [
    supergateway, '--streamableHttp', world.url, `--oauth2Bearer=${world.token}`, '--logLevel',
    'none'
  ]);
  await exercise(world, clientOf(client));
  await client.close();
});

scenario('@langchain/mcp-adapters', async (s) => {
  const {MultiServerMCPClient} = await import('@langchain/mcp-adapters');
  const world = await start(s, 'everything');
  const adapters = new MultiServerMCPClient(
      {mcpServers: {reeve: {transport: 'http', url: world.url, headers: bearer(world)}}});
  const tools = await adapters.getTools();
  const client = await adapters.getClient('reeve');
  await exercise(world, {
    list: async () => tools.map(({name}) => name),
    call: async (name, args) => {
      // What a model can name is what was listed; the rest goes by the client beneath.
      const tool = tools.find((each) => each.name === name);
      if (!tool) return textOf(await client.callTool({name, arguments: args}));
      return tool.invoke(args).then(String, (error) => error.message);
    }
  });
  await adapters.close();
});

const inspector = join(modules, '@modelcontextprotocol/inspector/clients/launcher/build/index.js');
for (const [era, server] of [
         ['legacy', 'everything'], ['auto', 'everything'], ['modern', 'modern']]) {
  scenario(`MCP Inspector's CLI, ${era}`, async (s) => {
    const world = await start(s, server);
    const inspect = async (...words) => {
      const done = await run(
          process.execPath,
          [
            inspector, '--cli', world.url, '--transport', 'http', '--protocol-era', era, '--header',
            `Authorization: Bearer ${world.token}`, ...words
          ],
          {
            env: {
              HOME: world.folder,
              MCP_CATALOG_PATH: join(world.folder, 'mcp.json'),
              NO_COLOR: '1'
            }
          });
      return done;
    };
    await exercise(world, {
      unlisted: /not found on server/,
      list: async () => {
        const {code, out, err} = await inspect('--method', 'tools/list');
        assert.equal(code, 0, err);
        return JSON.parse(out.slice(out.indexOf('{'))).tools.map(({name}) => name);
      },
      call: async (name, args) => {
        const pairs =
            Object.entries(args).flatMap(([key, value]) => ['--tool-arg', `${key}=${value}`]);
        const {out, err} = await inspect('--method', 'tools/call', '--tool-name', name, ...pairs);
        const at = out.indexOf('{');
        return at < 0 ? out + err : textOf(JSON.parse(out.slice(at)));
      }
    });
    if (era === 'modern') onlyModern(world);
  });
}
