// Locks that change while the sidecar runs, what is hidden in texts, and locks of servers of every
// kind: behind a Unix socket, started by a command, with tools that call tools.
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {change, first, jordan, namesOf, pulls, ranBy, robin, start} from './drift.mjs';
import {allowAll, assert, binary, policyOf, root, run, scenario, until} from './lib.mjs';
import {clients} from './mcp_clients.mjs';
import {shiftingOrigin, tool} from './shifting_origin.mjs';

scenario('a lock that changes is taken up, one that cannot be used is not', async (s) => {
  const {crm, sidecar, call, pin, lock} = await start(s);
  change(crm, 'send', pulls['the input']);
  assert.equal((await call('send')).json.result.isError, true);
  const said = await pin();
  assert.match(said.out, /changed `send`: inputSchema/);
  await until(async () => !(await call('send')).json.result.isError, 'the new lock');
  assert.equal(await sidecar.metric('reeve_pin_reloads_total', {result: 'ok'}), 1);

  const good = readFileSync(lock, 'utf8');
  const bad = [
    '', '{', good.slice(0, -40), good.replace('Does send', 'Does all'),
    good.replace('"crm"', '"kb"')
  ];
  let errors = 0;
  for (const text of bad) {
    writeFileSync(lock, text);
    ++errors;
    await until(
        async () => await sidecar.metric('reeve_pin_reloads_total', {result: 'error'}) === errors,
        'the refusal of the lock');
    assert.ok(!(await call('send')).json.result.isError, 'the old one stays');
  }
  assert.match(sidecar.stderr, /crm\.tools\.lock:\d+:\d+: error: the digest of `send`/);
  assert.equal(sidecar.audit({kind: 'pin', result: 'error'}).length, errors);
  change(crm, 'sum', pulls['a description']);
  await sidecar.rpc('/crm', {jsonrpc: '2.0', id: 1, method: 'tools/list'}, {token: jordan.token});
  assert.equal((await call('sum')).json.result.isError, true, 'and is held to');
  // SIGHUP reads locks, too, and a policy whose lock is bad goes on with the one in force.
  sidecar.signal('SIGHUP');
  await until(
      async () => await sidecar.metric('reeve_pin_reloads_total', {result: 'error'}) > errors,
      'the look after SIGHUP');
  assert.equal((await call('sum')).json.result.isError, true);
  assert.ok(!ranBy(crm).includes('sum'));
});

scenario('a policy that names a lock which is not there is refused', async (s) => {
  const origin = await shiftingOrigin(s, first());
  const pinned = 'servers:\n  crm: {pin: crm.tools.lock}\n';
  const wiring = await s.configure(
      {policy: policyOf([jordan], allowAll('crm'), pinned), upstreams: {crm: {mcp: origin.url}}});
  const failed = s.launch(wiring);
  assert.deepEqual(await failed.ended, {code: 2, signal: null});
  assert.match(
      failed.stderr, /policy\.yaml:\d+:\d+: error: the lock `crm\.tools\.lock` is not there/);
  writeFileSync(join(wiring.folder, 'policy.yaml'), policyOf([jordan], allowAll('crm')));
  const sidecar = await s.launch(wiring).ready();
  sidecar.writePolicy(policyOf([jordan], allowAll('crm'), pinned));
  await until(
      async () => await sidecar.metric('reeve_policy_reloads_total', {result: 'error'}) === 1,
      'the refusal of the policy');
  const list = await sidecar.rpc(
      '/crm', {jsonrpc: '2.0', id: 1, method: 'tools/list'}, {token: jordan.token});
  assert.equal(list.json.result.tools.length, 3, 'the old policy stays');
});

scenario('what is hidden in texts is flagged, once, with or without a lock', async (s) => {
  const crm = await shiftingOrigin(
      s, [tool('read', {description: 'Reads\u200b \u{E0041}\u{E0042}'}), tool('send')]);
  crm.instructions = 'a\u202eb';
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], allowAll('crm')), upstreams: {crm: {mcp: crm.url}}});
  const caller = await clients['client 2.4'](`http://127.0.0.1:${sidecar.port}/crm`, jordan.token);
  for (let i = 0; i < 3; ++i) assert.deepEqual(await namesOf(caller), ['read', 'send']);
  await caller.close();
  const lines = sidecar.audit({kind: 'hidden-text'});
  assert.deepEqual(lines.map((line) => [line.target, line.where, line.code_point, line.times]), [
    [undefined, 'instructions', 'U+202E', 1], ['read', 'description', 'U+200B', 1],
    ['read', 'description', 'U+E0041', 2]
  ]);
  assert.equal(await sidecar.metric('reeve_hidden_text_total', {upstream: 'crm'}), 3);
  assert.match(sidecar.stderr, /upstream `crm`: tag characters in `description` of tool `read`/);
  assert.doesNotMatch(sidecar.stderr, /[\u200b\u202e]/);
});

scenario('over a Unix socket', async (s) => {
  const socket = join(s.folder('reeve-sock-'), 's');
  const {crm, call} = await start(s, {socket});
  assert.equal((await call('send')).json.result.content[0].text, 'ran send');
  change(crm, 'read', pulls['a title']);
  await crm.tellChanged();
  assert.equal((await call('read', robin)).json.result.isError, true);
  assert.deepEqual(ranBy(crm), ['send']);
});

for (const client of ['sdk 1.32', 'client 2.4']) {
  scenario(`${client}: a server that is started by its command`, async (s) => {
    const folder = s.folder('reeve-shift-');
    const TOOLS = join(folder, 'tools.json'), RAN = join(folder, 'ran');
    const write = (tools) => writeFileSync(TOOLS, JSON.stringify(tools));
    write(first());
    writeFileSync(RAN, '');
    const command = [process.execPath, join(root, 'tests/e2e/shifting_stdio.mjs')];
    const wiring = await s.configure({
      policy: policyOf([jordan], allowAll('crm'), 'servers:\n  crm: {pin: crm.tools.lock}\n'),
      upstreams: {crm: {mcp: {command, env: {TOOLS, RAN}}}}
    });
    const done = await run(
        binary, ['pin', '-c', join(wiring.folder, 'reeve.yaml'), 'crm'], {env: wiring.env});
    assert.equal(done.code, 0, done.err);
    const sidecar = await s.launch(wiring).ready();
    const caller = await clients[client](`http://127.0.0.1:${sidecar.port}/crm`, jordan.token);
    const call = (name) => caller.callTool({name, arguments: {}});
    assert.equal((await call('send')).content[0].text, 'ran send', 'nobody has listed it yet');
    write(first().map((each) => each.name === 'send' ? {...each, ...pulls['the input']} : each));
    assert.deepEqual(await namesOf(caller), ['read', 'sum']);
    assert.equal((await call('send')).isError, true);
    assert.equal((await call('sum')).content[0].text, 'ran sum');
    await caller.close();
    assert.equal(readFileSync(RAN, 'utf8'), 'send\nsum\n');
  });
}

scenario('a dispatch tool is held to its lock, and so is the one inside', async (s) => {
  const {crm, call} = await start(s, {
    tools: [tool('invoke'), ...first()],
    more: 'servers:\n  crm:\n    pin: crm.tools.lock\n    dispatch: {invoke: {tool: args.name}}\n'
  });
  const invoke = (name, agent = jordan) => call('invoke', agent, {name});
  assert.equal((await invoke('send')).json.result.content[0].text, 'ran invoke');
  assert.equal((await invoke('unlisted')).json.result.content[0].text, 'ran invoke');
  change(crm, 'send', pulls['the input']);
  const inner = (await invoke('send', robin)).json.result;
  assert.match(inner.content[0].text, /tool `send` is no longer what was pinned/);
  assert.equal((await invoke('sum', robin)).json.result.content[0].text, 'ran invoke');
  assert.deepEqual(ranBy(crm), ['invoke', 'invoke', 'invoke']);
});
