// One endpoint for all MCP servers: /mcp, with the official clients of both lines, servers of both
// eras, by URL and by command at once, servers that are away, and clients that cheat.
import {Client as ModernClient, StreamableHTTPClientTransport as ModernHttp} from '@modelcontextprotocol/client';
import {Client as LegacyClient} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport as LegacyHttp} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {CreateMessageRequestSchema, ListRootsRequestSchema} from '@modelcontextprotocol/sdk/types.js';
import {join} from 'node:path';

import {agentEntry, assert, policyOf, root, scenario, until} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

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
async function startThree(s, {agents, rules = allThree, more = '', upstreams = {}} = {}) {
  const [every, dual] = [await s.everything(), await mcpOrigin(s)];
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf(agents ?? [jordan], rules, more),
    upstreams:
        {every: {mcp: every.url}, dual: {mcp: dual.url}, local: {mcp: {command}}, ...upstreams}
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
    await sidecar.records({action: 'tools/call'}, 6);
    await client.close();
  });
}
