// Tools that call tools, live: a call is decided, counted, priced and recorded by the one inside,
// and what cannot be told never reaches the server.
import {join} from 'node:path';

import {agentEntry, assert, policyOf, reeve, scenario, until} from './lib.mjs';
import {clients} from './mcp_clients.mjs';
import {shiftingOrigin, tool} from './shifting_origin.mjs';

const servers = `servers:
  crm:
    dispatch:
      invoke: {tool: args.name, args: args.arguments}
      macro: {tool: args.macro}
`;
const rules = `    allow:
      - {id: read, upstream: crm, tools: [read, "get*"]}
      - {id: pay, upstream: crm, tools: pay, when: {args.amount: {max: 100}}}
    deny:
      - {id: no-drop, upstream: crm, tools: drop, because: Nothing is dropped}
      - {id: no-ghost, upstream: crm, tools: ghost, hidden: true}
      - {id: no-force, upstream: crm, tools: invoke, when: {args.force: {present: true}}}
`;

async function start(s, {more = '', allowed = rules, sdk = '2.4', json = true, mode = ''} = {}) {
  const names = ['invoke', 'macro', 'read', 'pay', 'drop', 'get1'];
  const crm = await shiftingOrigin(s, names.map((name) => tool(name)), {sdk, json});
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: mode + policyOf([jordan], allowed, servers + more),
    upstreams: {crm: {mcp: crm.url}}
  });
  const url = `http://127.0.0.1:${sidecar.port}/crm`;
  const invoke = (args, {name = 'invoke', raw} = {}) => sidecar.rpc(
      '/crm', raw ?? {jsonrpc: '2.0', id: 1, method: 'tools/call', params: {name, arguments: args}},
      {token: jordan.token});
  return {crm, sidecar, jordan, url, invoke};
}

for (const [sdk, client] of [['1.32', 'sdk 1.32'], ['2.4', 'client 2.4']]) {
  for (const json of [true, false]) {
    scenario(`${client}, a server of ${sdk}, ${json ? 'JSON' : 'events'}`, async (s) => {
      const {crm, sidecar, jordan, url} = await start(s, {sdk, json});
      const caller = await clients[client](url, jordan.token);
      const {tools} = await caller.listTools();
      assert.deepEqual(
          tools.map((each) => each.name), ['invoke', 'macro', 'read', 'pay', 'get1'],
          'dispatch tools need no allow to be seen');
      const done = await caller.callTool(
          {name: 'invoke', arguments: {name: 'read', arguments: {id: 7}, note: 'x'}});
      assert.equal(done.content[0].text, 'ran invoke');
      const denied = await caller.callTool({name: 'invoke', arguments: {name: 'drop'}});
      assert.equal(denied.isError, true);
      assert.equal(
          denied.content[0].text,
          'Denied by policy: Nothing is dropped (rule no-drop) (tool `drop`, called through ' +
              '`invoke`). Do not retry.');
      assert.equal(denied._meta['reeve/decision'].rule, 'no-drop');
      const unnamed = await caller.callTool({name: 'macro', arguments: {macro: 'other'}});
      assert.match(unnamed.content[0].text, /by default.*tool `other`, called through `macro`/);
      const around =
          await caller.callTool({name: 'invoke', arguments: {name: 'read', force: false}});
      assert.match(around.content[0].text, /rule no-force/);
      await assert.rejects(
          caller.callTool({name: 'invoke', arguments: {name: 'ghost'}}), /Unknown tool: ghost/);
      await caller.close();

      assert.deepEqual(
          crm.ran, [{tool: 'invoke', args: {name: 'read', arguments: {id: 7}, note: 'x'}}]);
      const records = await sidecar.records({action: 'tools/call'}, 5);
      assert.deepEqual(
          records.map(
              ({decision}) =>
                  [decision.target, decision.dispatch, decision.decision,
                   decision.rule ?? decision.reason]),
          [
            ['read', 'invoke', 'allow', 'read'],
            ['drop', 'invoke', 'deny', 'no-drop'],
            ['other', 'macro', 'deny', 'default'],
            ['read', 'invoke', 'deny', 'no-force'],
            ['ghost', 'invoke', 'deny', 'no-ghost'],
          ]);
    });
  }
}

scenario('what the inner call is must be told, in one reading', async (s) => {
  const {crm, sidecar, invoke} = await start(s);
  const raw = (args) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"invoke",` +
      `"arguments":${args}}}`;
  const bad = [
    '{}',
    'null',
    '{"name":null}',
    '{"name":7}',
    '{"name":["read"]}',
    '{"name":{"name":"read"}}',
    '{"name":true}',
    // Another reader would take another key for the name or the arguments.
    '{"Name":"drop","name":"read"}',
    '{"NAME":"drop"}',
    '{"name":"read","Arguments":{"x":1}}',
    '{"name":"read","name":"drop"}',
    '{"n\\u0061me":"drop","name":"read"}',
    '{"name":"read","argument\\u017f":{}}',
    // Arguments that are neither an object, nor JSON text of one, nor absent.
    '{"name":"read","arguments":null}',
    '{"name":"read","arguments":[]}',
    '{"name":"read","arguments":7}',
    '{"name":"read","arguments":"x"}',
    '{"name":"read","arguments":"[1]"}',
    '{"name":"read","arguments":"{\\"a\\":1,\\"a\\":2}"}',
    '{"name":"read","arguments":"{} {}"}',
    '{"name":"read","arguments":""}',
    // Inside one another.
    '{"name":"invoke","arguments":{"name":"drop"}}',
    '{"name":"macro","arguments":{"macro":"drop"}}',
    // Names that a person would take for another.
    '{"name":"re\\u200bad"}',
    '{"name":"read\\u0000"}',
    '{"name":"\\u202eread"}',
  ];
  for (const args of bad) {
    const answer = await invoke(undefined, {raw: raw(args)});
    const said = answer.json.error ?? answer.json.result;
    assert.ok(said.code || said.isError, `${args}: ${answer.body}`);
  }
  assert.deepEqual(crm.ran, []);
  const lines = (await sidecar.records({}, bad.length)).map(({decision}) => decision.decision);
  assert.deepEqual(lines, bad.map(() => 'malformed'));

  // Neither case nor white space is folded: these are other tools, which no rule allows.
  for (const name of ['Read', ' read', 'read ', 'READ', 'Invoke', 'rea', '']) {
    const answer = await invoke({name});
    assert.equal(answer.json.result.isError, true, name);
  }
  assert.deepEqual(crm.ran, []);
  // A tool of another name than the dispatch tool's is an ordinary one.
  assert.equal((await invoke({name: 'read'}, {name: 'INVOKE'})).json.result.isError, true);
  assert.deepEqual(crm.ran, []);
  // As text and as an object: read alike, sent as they came.
  assert.ok(!(await invoke({name: 'pay', arguments: '{"amount": 5}'})).json.result.isError);
  assert.ok((await invoke({name: 'pay', arguments: '{"amount": 500}'})).json.result.isError);
  assert.ok((await invoke({name: 'pay', amount: 5})).json.result.isError);
  assert.deepEqual(crm.ran.map(({args}) => args), [{name: 'pay', arguments: '{"amount": 5}'}]);
});

scenario('prices, budgets and limits count the call inside', async (s) => {
  const {crm, sidecar, invoke} = await start(s, {
    allowed: rules + '    limits: [2 repeats per 10m]\n',
    more: 'prices:\n' +
        '  - {upstream: crm, tools: pay, cost: {from: args.amount, max: 100 USD}}\n' +
        'budgets:\n  pays: {for: everyone, upstream: crm, tools: pay, limit: 12 USD per day}\n'
  });
  const pay = (amount, more = {}) => invoke({name: 'pay', arguments: {amount}, ...more});
  assert.ok(!(await pay(7.5)).json.result.isError);
  const over = (await pay(5)).json.result;
  assert.equal(over._meta['reeve/decision'].budget, 'pays');
  assert.match(over.content[0].text, /tool `pay`, called through `invoke`/);
  assert.ok(!(await invoke({amount: 4}, {name: 'pay'})).json.result.isError, 'the same budget');
  assert.ok((await pay(1)).json.result.isError, 'of 12 USD 11.50 are spent');
  await until(
      async () => await sidecar.metric('reeve_budget_used', {budget: 'pays'}) === 11.5,
      '11.50 USD used');

  // The same call, however it is written or made.
  assert.ok(!(await invoke({name: 'read', arguments: {id: 1}})).json.result.isError);
  assert.ok(!(await invoke({arguments: '{"id":1}', name: 'read'})).json.result.isError);
  assert.match((await invoke({id: 1}, {name: 'read'})).json.result.content[0].text, /2 repeats/);
  assert.ok(!(await invoke({name: 'read', arguments: {id: 2}})).json.result.isError);
  assert.deepEqual(
      crm.ran.map(({tool: name}) => name), ['invoke', 'pay', 'invoke', 'invoke', 'invoke']);
  const digests = (await sidecar.records({target: 'read', decision: 'allow'}, 3))
                      .map(({decision}) => decision.args_sha256);
  assert.equal(digests[0], digests[1]);
  assert.notEqual(digests[0], digests[2]);
});

scenario('a dispatch tool is seen where some inner call could be allowed', async (s) => {
  const cases = [
    ['    allow: [{upstream: crm, tools: read}]\n', true],
    ['    allow: [{upstream: crm, tools: "x*"}]\n', true],
    ['    allow: [{upstream: crm}]\n', true],
    ['    allow: [{upstream: crm, tools: invoke}]\n', false],
    ['    allow: [{upstream: crm, resources: "*"}]\n', false],
    [
      '    allow: [{upstream: crm, tools: read}]\n    deny: [{upstream: crm, tools: read}]\n', false
    ],
    ['    allow: [{upstream: crm, tools: "r*"}]\n    deny: [{upstream: crm, tools: "*"}]\n', false],
    [
      '    allow: [{upstream: crm, tools: read}]\n    deny: [{upstream: crm, tools: invoke}]\n',
      false
    ],
  ];
  for (const [allowed, seen] of cases) {
    const {sidecar, jordan} = await start(s, {allowed});
    const answer = await sidecar.rpc(
        '/crm', {jsonrpc: '2.0', id: 1, method: 'tools/list', params: {}}, {token: jordan.token});
    const names = answer.json.result.tools.map((each) => each.name);
    assert.equal(names.includes('invoke'), seen, allowed);
    await sidecar.stop();
  }
});

scenario('explain says what the sidecar does', async (s) => {
  const {sidecar, invoke} = await start(s);
  const codes = {allow: 0, deny: 4, malformed: 5};
  for (const args of [{name: 'read'}, {name: 'drop'}, {name: 7}, {name: 'read', force: 1}]) {
    await invoke(args);
    const said = await reeve(
        'explain', '-p', join(sidecar.folder, 'policy.yaml'), '--agent', 'jordan', '--upstream',
        'crm', '--tool', 'invoke', '--args', JSON.stringify(args));
    const [{decision}] = (await sidecar.records({})).slice(-1);
    assert.equal(said.code, codes[decision.decision], JSON.stringify(args));
  }
});

scenario('in report mode nothing is held back but what is malformed', async (s) => {
  const {crm, sidecar, invoke} = await start(s, {mode: 'mode: report\n'});
  await invoke({name: 'drop'});
  await invoke({name: 7});
  assert.deepEqual(crm.ran.map(({args}) => args), [{name: 'drop'}]);
  const [{decision}] = await sidecar.records({target: 'drop'});
  assert.equal(decision.mode, 'report');
  assert.equal(decision.decision, 'deny');
});
