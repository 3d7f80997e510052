// MCP servers that the sidecar starts: real ones and one that misbehaves, through the official
// clients of both lines, judged and recorded like any other.
import {Client as ModernClient, StreamableHTTPClientTransport as ModernHttp} from '@modelcontextprotocol/client';
import {Client as LegacyClient} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport as LegacyHttp} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {CreateMessageRequestSchema} from '@modelcontextprotocol/sdk/types.js';
import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

import {agentEntry, allowAll, assert, policyOf, reeve, root, scenario, until} from './lib.mjs';

const modules = join(root, 'tests/node_modules/@modelcontextprotocol');
const everything = [process.execPath, join(modules, 'server-everything/dist/index.js'), 'stdio'];
const fixture = [process.execPath, join(root, 'tests/e2e/stdio_server.mjs')];

const clients = {
  'sdk 1.32': [LegacyClient, LegacyHttp, {}],
  'client 2.4, legacy': [ModernClient, ModernHttp, {}],
  'client 2.4, auto': [ModernClient, ModernHttp, {versionNegotiation: {mode: 'auto'}}],
};

async function open(name, url, token, options = {}, prepare = () => {}) {
  const [Client, Transport, more] = clients[name];
  const client = new Client({name: 'e2e', version: '1'}, {...more, ...options});
  prepare(client);
  await client.connect(
      new Transport(new URL(url), {requestInit: {headers: {Authorization: `Bearer ${token}`}}}));
  return client;
}

const said = (result) => result.content[0].text;
const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

// A sidecar with the fixture as upstream `tools`, and what the fixture's processes wrote down.
async function start(s, {agents = ['jordan'], env = {}, more = {}, rules, config} = {}) {
  const entries = agents.map((name) => agentEntry(name));
  const ran = join(s.folder(), 'ran');
  const sidecar = await s.sidecar({
    policy: policyOf(
        entries,
        rules ??
            '    allow:\n      - {id: all, upstream: tools}\n' +
                '    deny:\n      - {id: no-secret, upstream: tools, tools: secret}\n'),
    upstreams: {tools: {mcp: {command: fixture, env: {RAN: ran, ...env}}, ...more}},
    config
  });
  return {
    sidecar,
    url: `http://127.0.0.1:${sidecar.port}/tools`,
    tokens: entries.map((entry) => entry.token),
    token: entries[0].token,
    ran: () => existsSync(ran) ? readFileSync(ran, 'utf8').trim().split('\n') : [],
  };
}

for (const name of Object.keys(clients)) {
  scenario(`${name} with server-everything by its command`, async (s) => {
    const jordan = agentEntry('jordan');
    const sidecar = await s.sidecar({
      policy: policyOf([jordan], `    allow:
      - {id: some, upstream: everything, tools: [echo, get-sum, "trigger-*"]}
`),
      upstreams: {everything: {mcp: {command: everything}}}
    });
    const client = await open(name, `http://127.0.0.1:${sidecar.port}/everything`, jordan.token);
    const {tools} = await client.listTools();
    assert.deepEqual(
        tools.map((tool) => tool.name).sort(),
        ['echo', 'get-sum', 'trigger-long-running-operation']);
    assert.equal(
        said(await client.callTool({name: 'echo', arguments: {message: 'hi "there" \u2603\n2'}})),
        'Echo: hi "there" \u2603\n2');
    const denied = await client.callTool({name: 'get-env', arguments: {}});
    assert.equal(denied.isError, true);
    const steps = [];
    await client.callTool(
        {name: 'trigger-long-running-operation', arguments: {duration: 0.6, steps: 3}},
        ...(name === 'sdk 1.32' ? [undefined] : []),
        {onprogress: (progress) => steps.push(progress.progress)});
    assert.ok(steps.length >= 2, `progress: ${steps}`);
    const records = await sidecar.records({action: 'tools/call'}, 3);
    assert.deepEqual(
        records.map(({decision}) => [decision.target, decision.decision]),
        [['echo', 'allow'], ['get-env', 'deny'], ['trigger-long-running-operation', 'allow']]);
    await client.close();
  });

  scenario(`${name} with a server of both eras by its command`, async (s) => {
    const {url, token, ran} = await start(s);
    const client = await open(name, url, token);
    const names = (await client.listTools()).tools.map((tool) => tool.name);
    assert.ok(names.includes('add') && !names.includes('secret'), names);
    const answers = await Promise.all(Array.from(
        {length: 50}, (_, i) => client.callTool({name: 'add', arguments: {a: i, b: 1000}})));
    assert.deepEqual(answers.map(said), Array.from({length: 50}, (_, i) => String(i + 1000)));
    assert.equal((await client.callTool({name: 'secret', arguments: {}})).isError, true);
    assert.ok(!ran().includes('secret'), 'it never reached the process');
    await client.close();
  });
}

scenario('a server asks its client, and only what was asked is answered', async (s) => {
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allowAll('everything')),
    upstreams: {everything: {mcp: {command: everything}}}
  });
  const url = `http://127.0.0.1:${sidecar.port}/everything`;
  const client =
      await open('sdk 1.32', url, jordan.token, {capabilities: {sampling: {}}}, (each) => {
        each.setRequestHandler(
            CreateMessageRequestSchema,
            () => ({role: 'assistant', model: 'm', content: {type: 'text', text: 'sampled!'}}));
      });
  const sampled = await client.callTool(
      {name: 'trigger-sampling-request', arguments: {prompt: 'p', maxTokens: 5}});
  assert.match(said(sampled), /sampled!/);
  const forged = await sidecar.call('POST', '/everything', {
    token: jordan.token,
    body: '{"jsonrpc":"2.0","id":99,"result":{}}',
    headers: {
      'Content-Type': 'application/json',
      'Accept': 'application/json, text/event-stream',
      'Mcp-Session-Id': client.transport.sessionId
    }
  });
  assert.equal(forged.status, 400);
  assert.equal(said(await client.callTool({name: 'echo', arguments: {message: 'on'}})), 'Echo: on');
  await client.close();
});

scenario('a process belongs to one agent and one session', async (s) => {
  const {sidecar, url, tokens} = await start(s, {agents: ['jordan', 'robin']});
  const who = async (name, token) => {
    const client = await open(name, url, token);
    return {client, pid: said(await client.callTool({name: 'who', arguments: {}}))};
  };
  const first = await who('sdk 1.32', tokens[0]), second = await who('sdk 1.32', tokens[0]);
  const other = await who('sdk 1.32', tokens[1]);
  const shared = await who('client 2.4, auto', tokens[0]);
  const again = await who('client 2.4, auto', tokens[0]);
  const apart = await who('client 2.4, auto', tokens[1]);
  const pids = [first, second, other, shared, apart].map((each) => each.pid);
  assert.equal(new Set(pids).size, 5, `${pids}`);
  assert.equal(again.pid, shared.pid, 'without sessions an agent has one process');

  const stolen = await sidecar.call('POST', '/tools', {
    token: tokens[1],
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    headers: {
      'Content-Type': 'application/json',
      'Accept': 'application/json, text/event-stream',
      'Mcp-Session-Id': first.client.transport.sessionId
    }
  });
  assert.equal(stolen.status, 404);
  await first.client.transport.terminateSession();
  await until(() => !alive(first.pid), 'the end of the process of an ended session');
  assert.ok(alive(second.pid));
  await second.client.callTool({name: 'add', arguments: {a: 1, b: 1}});
  for (const {client} of [second, other, shared, again, apart]) await client.close();
});

scenario('a command gets what it is given and nothing of the sidecar', async (s) => {
  const folder = s.folder();
  process.env.REEVE_PLANTED = 'planted-secret';
  const {sidecar, url, token} = await start(s, {
    env: {KEY: 'k=v "x"', HOME: '/nowhere'},
    more: {mcp: {command: fixture, env: {KEY: 'k=v "x"', HOME: '/nowhere'}, folder}}
  });
  delete process.env.REEVE_PLANTED;
  const client = await open('sdk 1.32', url, token);
  const env = JSON.parse(said(await client.callTool({name: 'environment', arguments: {}})));
  assert.equal(env.KEY, 'k=v "x"');
  assert.equal(env.HOME, '/nowhere');
  assert.ok(env.PATH);
  assert.ok(!JSON.stringify(env).includes('REEVE'), 'neither its token nor anything else');
  assert.equal(said(await client.callTool({name: 'where', arguments: {}})), folder);
  const pid = said(await client.callTool({name: 'who', arguments: {}}));
  // Besides its standard streams a program opens what it likes, but no socket is inherited.
  const group = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')[2];
  assert.equal(group, pid, 'a process group of its own');
  await client.callTool({name: 'complain', arguments: {}});
  await until(
      () => /`tools` \(\d+\): a complaint \[31m in red/.test(sidecar.stderr), 'its complaint');
  assert.ok(!sidecar.stderr.includes('\u001b'));
  await client.close();
});

scenario('a server that dies takes nobody with it, and is started again', async (s) => {
  const {sidecar, url, token, ran} = await start(s);
  const client = await open('client 2.4, auto', url, token);
  const waiting = client.callTool({name: 'wait', arguments: {ms: 60_000, label: 'w'}})
                      .then(() => 'answered', (error) => error);
  await until(() => ran().includes('waiting w'), 'the call at the server');
  await client.callTool({name: 'add', arguments: {a: 1, b: 1}});
  const died = await client.callTool({name: 'die', arguments: {}}).then(() => null, (e) => e);
  assert.ok(died, 'the call that killed it fails');
  assert.notEqual(await waiting, 'answered', 'so does the one beside it');
  await until(async () => {
    const sum = await client.callTool({name: 'add', arguments: {a: 2, b: 2}}).catch(() => null);
    return sum && said(sum) === '4';
  }, 'a new process');
  await until(
      () => /`tools` \(\d+\): it (ended with status 3|closed its output)/.test(sidecar.stderr),
      'its end in the log');

  const legacy = await open('sdk 1.32', url, token);
  await legacy.callTool({name: 'die', arguments: {}}).catch(() => {});
  const lost = await legacy.callTool({name: 'add', arguments: {a: 1, b: 1}}).catch((e) => e);
  assert.equal(lost.code, 404, 'its session is gone, so the client begins anew');
  await client.close();
});

scenario('one that fails at once is not started over and over', async (s) => {
  const {sidecar, token, ran} =
      await start(s, {more: {mcp: {command: ['sh', '-c', 'echo start >> "$RAN"; exit 1']}}});
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: {protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {name: 'e', version: '1'}}
  };
  const statuses = [];
  for (let i = 0; i < 20; i++) {
    statuses.push((await sidecar.rpc('/tools', initialize, {token})).status);
  }
  assert.ok(statuses.every((status) => status === 502 || status === 503), `${statuses}`);
  assert.ok(statuses.includes(503), `${statuses}`);
  assert.ok(ran().length < 10, `${ran().length} starts`);
});

scenario('a program that is not there is a refusal and a line of the log', async (s) => {
  const {sidecar, token} = await start(s, {more: {mcp: {command: ['no-such-program', 'x']}}});
  const answer = await sidecar.rpc(
      '/tools',
      {jsonrpc: '2.0', id: 'i', method: 'initialize', params: {protocolVersion: '2025-11-25'}},
      {token});
  assert.equal(answer.status, 502);
  assert.equal(answer.json.id, 'i');
  // The log comes by a pipe of its own.
  await until(
      () => /`tools`: `no-such-program` is not found by PATH/.test(sidecar.stderr), 'the log line');
});

scenario('lines that are no messages are left out', async (s) => {
  const {sidecar, url, token} = await start(s);
  for (const name of Object.keys(clients)) {
    const client = await open(name, url, token);
    assert.equal(
        said(await client.callTool({name: 'garbage', arguments: {}})), 'after garbage', name);
    await client.close();
  }
  await until(
      () => /lines that are no JSON-RPC.*this is no message/.test(sidecar.stderr), 'the log line');
});

scenario('a line beyond the limit ends the server, not the sidecar', async (s) => {
  const {url, token} = await start(s, {config: {limits: {body_bytes: '1MB', drain: '2s'}}});
  const client = await open('client 2.4, auto', url, token);
  assert.equal(
      said(await client.callTool({name: 'flood', arguments: {bytes: 500_000}})).length, 500_000);
  await assert.rejects(client.callTool({name: 'flood', arguments: {bytes: 3_000_000}}));
  await until(async () => {
    const sum = await client.callTool({name: 'add', arguments: {a: 2, b: 2}}).catch(() => null);
    return sum && said(sum) === '4';
  }, 'a new process');
  await client.close();
});

scenario('the modern era cancels by hanging up, the legacy era does not', async (s) => {
  const {sidecar, url, token, ran} = await start(s);
  const modern = await open('client 2.4, auto', url, token);
  const hangUp = new AbortController();
  const left = modern.callTool(
      {name: 'wait', arguments: {ms: 30_000, label: 'modern'}}, {signal: hangUp.signal});
  await until(() => ran().includes('waiting modern'), 'the call at the server');
  hangUp.abort();
  await assert.rejects(left);
  await until(() => ran().includes('cancelled modern'), 'the cancellation');

  const legacy = await open('sdk 1.32', url, token);
  const cancel = new AbortController();
  const gone = legacy.callTool(
      {name: 'wait', arguments: {ms: 30_000, label: 'legacy'}}, undefined, {signal: cancel.signal});
  await until(() => ran().includes('waiting legacy'), 'the call at the server');
  cancel.abort();
  await assert.rejects(gone);
  // This client says so by a notification, whose request id is its own.
  await until(() => ran().includes('cancelled legacy'), 'the cancellation by notification');
  await modern.close();
  await legacy.close();
});

scenario('no process outlives the sidecar, not even one that ignores SIGTERM', async (s) => {
  const {sidecar, url, token, ran} = await start(s, {env: {STUBBORN: '1'}});
  for (const name of Object.keys(clients)) {
    const client = await open(name, url, token);
    await client.callTool({name: 'add', arguments: {a: 1, b: 1}});
  }
  const pids = ran().filter((line) => line.startsWith('start')).map((line) => line.split(' ')[1]);
  assert.ok(pids.length >= 3 && pids.every(alive), `${pids}`);
  assert.deepEqual(await sidecar.stop(), {code: 0, signal: null});
  assert.ok(!pids.some(alive), 'after SIGTERM');

  const killed = await start(s);
  const client = await open('sdk 1.32', killed.url, killed.token);
  await client.callTool({name: 'add', arguments: {a: 1, b: 1}});
  const pid = killed.ran()[0].split(' ')[1];
  await killed.sidecar.kill();
  await until(() => !alive(pid), 'the end after SIGKILL of the sidecar');
});

scenario('a command in reeve.yaml that cannot be meant is named', async (s) => {
  const jordan = agentEntry('jordan');
  const cases = [
    [{mcp: {command: 'npx -y x'}}, /`command` must be a list of the program and its arguments/],
    [{mcp: {command: []}}, /`command` must be a list/],
    [{mcp: {comand: ['x']}}, /comand/],
    [{http: {command: ['x']}}, /only an MCP server can be started by a command/],
    [{mcp: {command: ['x'], env: ['A']}}, /`env` must be a mapping/],
    [{mcp: {command: ['x'], env: {'A-B': '1'}}}, /`A-B` is no name of a variable/],
    [
      {mcp: {command: ['x']}, credential: {header: 'X-Key', value: 'v'}},
      /gets its credential by `env`/
    ],
  ];
  for (const [upstream, message] of cases) {
    const {folder} = await s.configure(
        {policy: policyOf([jordan], allowAll('tools')), upstreams: {tools: upstream}});
    const checked = await reeve('check', join(folder, 'reeve.yaml'));
    assert.equal(checked.code, 1, JSON.stringify(upstream));
    assert.match(checked.out + checked.err, message);
  }
});
