// How MCP clients wait for people, in both eras: the official clients, and what goes over the wire.
// The limits of a stock client (60 s) are scaled down with those of reeve.
import {Client as ModernClient, StreamableHTTPClientTransport as ModernHttp} from '@modelcontextprotocol/client';
import {Client as LegacyClient} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport as LegacyHttp} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {CallToolResultSchema} from '@modelcontextprotocol/sdk/types.js';

import {agentEntry, answer, askingPolicy, listed, pending} from './approvals.mjs';
import {assert, scenario, until, within} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

const jordan = agentEntry('jordan');
const robin = agentEntry('robin');

async function asking(s, approvals, options = {}) {
  const origin = await mcpOrigin(s);
  const sidecar = await s.sidecar({
    policy: askingPolicy([jordan, robin], {upstream: 'db', selector: 'tools: drop', ...options}),
    upstreams: {db: {mcp: origin.url}},
    config: {approvals},
  });
  return {origin, sidecar};
}

async function connect(client, Transport, sidecar) {
  await client.connect(new Transport(
      new URL(`http://127.0.0.1:${sidecar.port}/db`),
      {requestInit: {headers: {Authorization: `Bearer ${jordan.token}`}}}));
  return client;
}
const legacy = (sidecar) =>
    connect(new LegacyClient({name: 'e2e', version: '1'}), LegacyHttp, sidecar);
const legacy2 = (sidecar) =>
    connect(new ModernClient({name: 'e2e', version: '1'}), ModernHttp, sidecar);
const modern = (sidecar) => connect(
    new ModernClient({name: 'e2e', version: '1'}, {versionNegotiation: {mode: 'auto'}}), ModernHttp,
    sidecar);

const call = {
  name: 'drop',
  arguments: {table: 'old'}
};

for (const [name, open] of Object.entries(
         {'sdk 1.32': legacy, 'client 2.4, legacy': legacy2, 'client 2.4, modern': modern})) {
  scenario(`${name}: waits for its yes, and for its no`, async (s) => {
    const {origin, sidecar} = await asking(s, {progress: '200ms'});
    const client = await open(sidecar);
    const waiting = client.callTool(call);
    const [question] = await pending(sidecar);
    assert.equal(question.target, 'drop');
    assert.equal(question.arguments, '{"table":"old"}');
    assert.equal(origin.ran.length, 0);
    await answer(sidecar, question.approval, 'approve');
    const done = await within(waiting, 'the result');
    assert.equal(done.content[0].text, 'dropped');
    assert.ok(!done.isError);
    assert.equal(origin.ran.length, 1);

    const again = client.callTool(call);
    const [second] = await pending(sidecar);
    await answer(sidecar, second.approval, 'deny', undefined, 'not today');
    const denied = await within(again, 'the result');
    assert.equal(denied.isError, true);
    assert.match(denied.content[0].text, /not today/);
    assert.equal(denied._meta['reeve/decision'].rule, 'big');
    const other = await client.callTool({name: 'add', arguments: {a: 1, b: 2}});
    assert.equal(other.content[0].text, '3', 'the session goes on');
    assert.equal(origin.ran.filter((ran) => ran.tool === 'drop').length, 1);
    await client.close();
  });
}

scenario('sdk 1.32: progress keeps it waiting beyond its own limit', async (s) => {
  const {origin, sidecar} = await asking(s, {progress: '300ms'});
  const client = await legacy(sidecar);
  const progress = [];
  const waiting = client.callTool(
      call, CallToolResultSchema,
      {timeout: 3000, resetTimeoutOnProgress: true, onprogress: (each) => progress.push(each)});
  const [question] = await pending(sidecar);
  await until(() => progress.length >= 12, 'twelve signs, more than the limit');
  assert.match(progress[0].message, new RegExp(question.approval));
  assert.ok(progress[1].progress > progress[0].progress);
  await answer(sidecar, question.approval, 'approve');
  assert.equal((await within(waiting, 'the result')).content[0].text, 'dropped');
  assert.equal(origin.ran.length, 1);
  await client.close();
});

scenario('sdk 1.32: after hold_max it is told that it is pending, and repeats', async (s) => {
  const {origin, sidecar} = await asking(s, {hold_max: '500ms', url: 'https://reeve.example/'});
  const client = await legacy(sidecar);
  const told = await client.callTool(call);
  assert.equal(told.isError, true);
  assert.match(told.content[0].text, /Pending approval [0-9a-f-]{36}.*https:\/\/reeve\.example/);
  assert.equal(told._meta['reeve/decision'].effect, 'pending');
  const [question] = await pending(sidecar);
  assert.ok(told.content[0].text.includes(question.approval));
  await answer(sidecar, question.approval, 'approve');
  assert.equal(origin.ran.length, 0);
  const other = await client.callTool({name: 'drop', arguments: {table: 'new'}});
  assert.equal(other.isError, true, 'the yes is not for other arguments');
  const repeated = await client.callTool(call);
  assert.equal(repeated.content[0].text, 'dropped');
  assert.deepEqual(origin.ran, [{tool: 'drop', args: {table: 'old'}}]);
  await client.close();
});

scenario('sdk 1.32: a call that its client cancels by time does not run later', async (s) => {
  const {origin, sidecar} = await asking(s, {progress: '200ms'});
  const client = await legacy(sidecar);
  await assert.rejects(client.callTool(call, CallToolResultSchema, {timeout: 1000}), /timed out/i);
  const [{outcome}] = await sidecar.records({action: 'tools/call'});
  assert.equal(outcome.error, 'agent-gone');
  const [question] = await pending(sidecar);
  await answer(sidecar, question.approval, 'approve');
  const other = await client.callTool({name: 'add', arguments: {a: 1, b: 2}});
  assert.equal(other.content[0].text, '3');
  assert.equal(origin.ran.filter((ran) => ran.tool === 'drop').length, 0);
  const repeated = await client.callTool(call);
  assert.equal(repeated.content[0].text, 'dropped', 'the yes stays for an identical repeat');
  await client.close();
});

scenario('client 2.4, modern: comes back by itself until people have answered', async (s) => {
  const {origin, sidecar} = await asking(s, {leg: '400ms'});
  const client = await modern(sidecar);
  const waiting = client.callTool(call);
  await until(() => sidecar.audit({kind: 'decision', reason: 'pending'}).length >= 2, 'two legs');
  const questions = await listed(sidecar);
  assert.equal(questions.length, 1, 'every leg is one question');
  await answer(sidecar, questions[0].approval, 'approve');
  assert.equal((await within(waiting, 'the result')).content[0].text, 'dropped');
  assert.deepEqual(origin.ran, [{tool: 'drop', args: {table: 'old'}}]);
  await client.close();
});

const version = '2026-07-28';
function modernCall(sidecar, token, params, id = 1) {
  return sidecar.rpc(
      '/db', {
        jsonrpc: '2.0',
        id,
        method: 'tools/call',
        params: {
          ...params,
          _meta: {
            'io.modelcontextprotocol/protocolVersion': version,
            'io.modelcontextprotocol/clientInfo': {name: 'e2e', version: '1'},
            'io.modelcontextprotocol/clientCapabilities': {}
          }
        }
      },
      {
        token,
        headers:
            {'MCP-Protocol-Version': version, 'Mcp-Method': 'tools/call', 'Mcp-Name': params.name}
      });
}

scenario('a requestState is one caller\'s, for one call, and stays with reeve', async (s) => {
  const {origin, sidecar} = await asking(s, {leg: '200ms'});
  const first = await modernCall(sidecar, jordan.token, call);
  assert.equal(first.json.result.resultType, 'input_required');
  assert.deepEqual(Object.keys(first.json.result).sort(), ['requestState', 'resultType']);
  const {requestState} = first.json.result;
  const [question] = await listed(sidecar);
  await answer(sidecar, question.approval, 'approve');
  const wrong = [
    [robin.token, {...call, requestState}],
    [jordan.token, {...call, arguments: {table: 'new'}, requestState}],
    [jordan.token, {...call, requestState: `${requestState}0`}],
    [jordan.token, {...call, requestState: `reeve.${question.approval}.`}],
    [jordan.token, {...call, requestState: 'reeve.x'}],
  ];
  for (const [token, params] of wrong) {
    const refused = await modernCall(sidecar, token, params);
    assert.equal(refused.json.error?.code, -32602, JSON.stringify(params));
  }
  assert.equal(origin.ran.length, 0);
  const done = await modernCall(sidecar, jordan.token, {requestState, ...call}, 2);
  assert.equal(done.json.result.content[0].text, 'dropped');
  const replayed = await modernCall(sidecar, jordan.token, {...call, requestState}, 3);
  assert.equal(replayed.json.result.isError, true);
  assert.match(replayed.json.result.content[0].text, /another has used it/);
  assert.equal(origin.ran.length, 1);
});

scenario('an upstream that fails behind an open stream is told on it', async (s) => {
  const {origin, sidecar} = await asking(s, {progress: '200ms'});
  const client = await legacy(sidecar);
  const waiting = client.callTool(call);
  const [question] = await pending(sidecar);
  await origin.stop();
  // Listened for before the yes, which may be answered after the call.
  const told = assert.rejects(within(waiting, 'the error'), /upstream/);
  await answer(sidecar, question.approval, 'approve');
  await told;
});
