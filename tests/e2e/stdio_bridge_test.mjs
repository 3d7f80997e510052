// `reeve stdio`: the official clients start it as they start a server, and what they do goes
// through the running sidecar, with its policy and its record.
import {Client as ModernClient} from '@modelcontextprotocol/client';
import {StdioClientTransport as ModernStdio} from '@modelcontextprotocol/client/stdio';
import {Client as LegacyClient} from '@modelcontextprotocol/sdk/client/index.js';
import {StdioClientTransport as LegacyStdio} from '@modelcontextprotocol/sdk/client/stdio.js';
import {CreateMessageRequestSchema} from '@modelcontextprotocol/sdk/types.js';
import {spawn} from 'node:child_process';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {agentEntry, allowAll, assert, binary, policyOf, root, run, scenario, until} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

const clients = {
  'sdk 1.32': [LegacyClient, LegacyStdio, {}],
  'client 2.4, legacy': [ModernClient, ModernStdio, {}],
  'client 2.4, auto': [ModernClient, ModernStdio, {versionNegotiation: {mode: 'auto'}}],
};
const said = (result) => result.content[0].text;

const words =
    (sidecar, agent,
     upstream) => ['stdio', '--agent', agent, '-c', join(sidecar.folder, 'reeve.yaml'), upstream];

async function open(name, sidecar, agent, token, upstream, options = {}, prepare = () => {}) {
  const [Client, Transport, more] = clients[name];
  const client = new Client({name: 'e2e', version: '1'}, {...more, ...options});
  prepare(client);
  // Nothing of the sidecar's environment: an agent has its token and no other secret.
  await client.connect(new Transport({
    command: binary,
    args: words(sidecar, agent, upstream),
    env: {REEVE_TOKEN: token},
    stderr: 'ignore'
  }));
  return client;
}

for (const name of Object.keys(clients)) {
  scenario(`${name} starts reeve stdio for a server of both eras`, async (s) => {
    const fixture = await mcpOrigin(s);
    const jordan = agentEntry('jordan');
    const sidecar = await s.sidecar({
      policy:
          policyOf([jordan], '    allow:\n      - {id: adding, upstream: fixture, tools: add}\n'),
      upstreams: {fixture: {mcp: fixture.url}}
    });
    const client = await open(name, sidecar, 'jordan', jordan.token, 'fixture');
    assert.deepEqual((await client.listTools()).tools.map((tool) => tool.name), ['add']);
    const answers = await Promise.all(Array.from(
        {length: 30}, (_, i) => client.callTool({name: 'add', arguments: {a: i, b: 7}})));
    assert.deepEqual(answers.map(said), Array.from({length: 30}, (_, i) => String(i + 7)));
    assert.equal((await client.callTool({name: 'drop', arguments: {}})).isError, true);
    assert.ok(fixture.ran.every((each) => each.tool === 'add'));
    const records = await sidecar.records({action: 'tools/call'}, 31);
    assert.ok(records.every(({decision}) => decision.agent === 'jordan'));
    await client.close();
  });

  scenario(`${name}: a command behind reeve stdio, with progress`, async (s) => {
    const jordan = agentEntry('jordan');
    const sidecar = await s.sidecar({
      policy: policyOf([jordan], allowAll('everything')),
      upstreams: {
        everything: {
          mcp: {
            command: [
              process.execPath,
              join(
                  root, 'tests/node_modules/@modelcontextprotocol/server-everything/dist/index.js'),
              'stdio'
            ]
          }
        }
      }
    });
    const client = await open(
        name, sidecar, 'jordan', jordan.token, 'everything',
        name === 'sdk 1.32' ? {capabilities: {sampling: {}}} : {}, (each) => {
          if (name !== 'sdk 1.32') return;
          each.setRequestHandler(
              CreateMessageRequestSchema,
              () => ({role: 'assistant', model: 'm', content: {type: 'text', text: 'sampled!'}}));
        });
    const steps = [];
    await client.callTool(
        {name: 'trigger-long-running-operation', arguments: {duration: 0.6, steps: 3}},
        ...(name === 'sdk 1.32' ? [undefined] : []),
        {onprogress: (progress) => steps.push(progress.progress)});
    assert.ok(steps.length >= 2, `progress: ${steps}`);
    if (name === 'sdk 1.32') {
      const sampled = await client.callTool(
          {name: 'trigger-sampling-request', arguments: {prompt: 'p', maxTokens: 5}});
      assert.match(said(sampled), /sampled!/);
    }
    await client.close();
  });
}

const initialize = JSON.stringify({
  jsonrpc: '2.0',
  id: 'first "id"',
  method: 'initialize',
  params: {protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {name: 'e', version: '1'}}
});

scenario('whom the credential proves must be whom the command line names', async (s) => {
  const fixture = await mcpOrigin(s);
  const jordan = agentEntry('jordan'), robin = agentEntry('robin');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan, robin], allowAll('fixture')),
    upstreams: {fixture: {mcp: fixture.url}}
  });
  const go = async (agent, token) => {
    const ended = await run(binary, words(sidecar, agent, 'fixture'), {
      env: {REEVE_TOKEN: token},
      input: `${initialize}\n`,
    });
    assert.equal(ended.code, 0, ended.err);
    return {...ended, answer: JSON.parse(ended.out.trim())};
  };
  const good = await go('jordan', jordan.token);
  assert.equal(good.answer.id, 'first "id"');
  assert.ok(good.answer.result);
  const reached = fixture.requests.length;
  const mixed = await go('jordan', robin.token);
  assert.match(mixed.answer.error.message, /401: the credential proves another agent/);
  assert.equal(mixed.answer.id, 'first "id"');
  const unknown = await go('jordan', 'nobody-has-this-token-0123456789');
  assert.match(unknown.answer.error.message, /HTTP status 401/);
  assert.ok(!unknown.err.includes('nobody-has-this'), 'the token is not shown');
  assert.equal(fixture.requests.length, reached);
});

scenario(
    'lines that are no messages, a sidecar that is not there, an unknown upstream', async (s) => {
      const fixture = await mcpOrigin(s);
      const jordan = agentEntry('jordan');
      const sidecar = await s.sidecar({
        policy: policyOf([jordan], allowAll('fixture')),
        upstreams: {fixture: {mcp: fixture.url}}
      });
      const go = (upstream, input) => run(
          binary, words(sidecar, 'jordan', upstream), {env: {REEVE_TOKEN: jordan.token}, input});
      const odd = await go('fixture', `not json\n[]\n\r\n${initialize}\r\n`);
      const lines = odd.out.trim().split('\n').map((line) => JSON.parse(line));
      assert.deepEqual(
          lines.map((line) => line.error?.code ?? line.id), [-32700, -32700, 'first "id"']);
      const elsewhere = await go('elsewhere', `${initialize}\n`);
      assert.match(JSON.parse(elsewhere.out).error.message, /HTTP status 404/);
      const file = join(s.folder(), 'input');
      writeFileSync(file, `${initialize}\n`);
      const script = `${binary} ${words(sidecar, 'jordan', 'fixture').join(' ')} < ${file}`;
      const fromFile = await run('sh', ['-c', script], {env: {REEVE_TOKEN: jordan.token}});
      assert.ok(JSON.parse(fromFile.out).result, fromFile.err);

      await sidecar.stop();
      const gone = await go('fixture', `${initialize}\n`);
      assert.match(JSON.parse(gone.out).error.message, /cannot be reached/);
      assert.match(gone.err, /cannot be reached/);

      for (const wrong
               of [['stdio'], ['stdio', '--agent', 'a'], ['stdio', '--agent', 'a', 'x', 'y']]) {
        assert.equal((await run(binary, wrong)).code, 2, wrong.join(' '));
      }
    });

scenario('a client that goes away takes the bridge and its calls with it', async (s) => {
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allowAll('tools')),
    upstreams:
        {tools: {mcp: {command: [process.execPath, join(root, 'tests/e2e/stdio_server.mjs')]}}}
  });
  const child = spawn(binary, words(sidecar, 'jordan', 'tools'), {
    env: {REEVE_TOKEN: jordan.token, PATH: process.env.PATH},
    stdio: ['pipe', 'pipe', 'inherit']
  });
  const ended = new Promise((done) => child.on('close', (code) => done(code)));
  child.stdin.write(`${initialize}\n`);
  await until(
      () => sidecar.audit({kind: 'outcome', action: 'initialize'}).length === 1, 'it begins');
  child.stdin.end('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  assert.equal(await ended, 0);
  await until(() => sidecar.audit({kind: 'outcome', action: 'DELETE'}).length === 1, 'its DELETE');
});
