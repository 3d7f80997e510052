// What the record keeps of arguments: digests, shapes or values, by configuration, upstream and
// rule; never a credential, never what a guard found, and never more than its bounds.
import {createHash} from 'node:crypto';

import {agentEntry, assert, binary, policyOf, run, scenario} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

const json = {
  'Content-Type': 'application/json'
};
const sha = (text) => createHash('sha256').update(text).digest('hex');
const allow = (upstream, more = '') => `      - {id: ${upstream}, upstream: ${upstream}${more}}\n`;

async function start(s, {rules, more = '', arguments: kept, own, mode = ''}) {
  const origin = await s.origin();
  const crm = await mcpOrigin(s);
  const jordan = agentEntry('jordan');
  const http = {http: origin.url(), credential: {header: 'X-Key', value: 'Key k-9876543210'}};
  const sidecar = await s.sidecar({
    policy: mode + policyOf([jordan], rules, more),
    upstreams: {api: {...http, ...own}, other: {http: origin.url()}, crm: {mcp: crm.url}},
    config: {
      limits: {body_bytes: '64KB', drain: '2s'},
      audit: {path: './state/audit.jsonl', ...(kept && {arguments: kept})}
    }
  });
  const post = (path, body, headers = json) =>
      sidecar.call('POST', path, {token: jordan.token, body, headers});
  const tool = (name, args) => sidecar.rpc(
      '/crm', {jsonrpc: '2.0', id: 1, method: 'tools/call', params: {name, arguments: args}},
      {token: jordan.token});
  // Of the only call to `target`: what stands in its decision's line.
  const kept_ = async (select) => {
    const [{decision}] = await sidecar.records(select);
    const {args, args_sha256, args_cut, args_left_out} = decision;
    return {args, args_sha256, args_cut, args_left_out};
  };
  return {origin, crm, jordan, sidecar, post, tool, kept: kept_};
}

scenario('by default there are digests alone, and bodies are not read for them', async (s) => {
  const {sidecar, post, tool, kept, origin} =
      await start(s, {rules: `    allow:\n${allow('api')}${allow('crm')}`});
  await post('/api/x', '{"a": 1');
  await tool('add', {b: 2, a: 1});
  assert.equal(origin.requests[0].body, '{"a": 1', 'what nobody reads need not be JSON');
  assert.deepEqual(
      await kept({target: '/x'}),
      {args: undefined, args_sha256: undefined, args_cut: undefined, args_left_out: undefined});
  const {args, args_sha256} = await kept({target: 'add'});
  assert.equal(args, undefined);
  assert.equal(args_sha256, sha('{"a":1,"b":2}'));
  assert.equal((await sidecar.call('GET', '/api/y', {})).status, 401);
});

scenario('the rule that decides says more than its upstream, and that more than all', async (s) => {
  const rules = `    allow:\n${allow('api')}${allow('crm', ', tools: add, audit: full')}${
      allow('other', ', http: "* /full/**", audit: full')}      - {upstream: other}
    deny:\n      - {id: no-drop, upstream: crm, tools: drop, audit: digest}\n`;
  const {post, tool, kept, origin, jordan, sidecar} =
      await start(s, {rules, arguments: 'redacted', own: {audit: {arguments: 'full'}}});
  const sent = {a: 1, b: 2.5};
  await tool('add', sent);
  assert.deepEqual((await kept({target: 'add'})).args, sent);
  await tool('drop', {table: 'people'});
  assert.equal((await kept({target: 'drop'})).args, undefined, 'of what was denied, too');
  await post('/api/all', '{ "to": "kim", "n": 1.50, "list": [true, null] }');
  const all = await kept({target: '/all'});
  assert.deepEqual(all.args, {to: 'kim', n: 1.5, list: [true, null]});
  assert.equal(all.args_sha256, sha('{"list":[true,null],"n":1.5,"to":"kim"}'));
  await post('/other/shape', '{"to":"kim","n":1.50,"password":"hunter2"}');
  assert.deepEqual(
      (await kept({target: '/shape'})).args,
      {to: 'string:3', n: 'number', password: '[credential]'});
  await post('/other/full/x', '{"to":"kim"}');
  assert.deepEqual((await kept({target: '/full/x'})).args, {to: 'kim'});

  // What is no JSON goes through unread; what says so and is none, goes through and is not kept.
  await post('/api/plain', 'x=1', {'Content-Type': 'application/x-www-form-urlencoded'});
  assert.equal((await kept({target: '/plain'})).args_left_out, undefined);
  await post('/api/broken', '{"a": 1');
  assert.equal((await kept({target: '/broken'})).args_left_out, 'unreadable');
  assert.equal(origin.requests.at(-1).body, '{"a": 1');
  // What must be kept must be read.
  assert.equal((await post('/api/large', JSON.stringify('x'.repeat(70_000)))).status, 413);
  await post('/api/long', JSON.stringify({text: 'y'.repeat(9000), key: 'z'}));
  const long = await kept({target: '/long'});
  assert.equal(long.args_cut, true);
  assert.match(long.args.text, /^y{4096}\[cut: 9000 bytes\]$/);
  // Two names that are one when they are cut.
  const name = 'n'.repeat(200);
  await post('/api/names', `{"${name}a":1,"${name}b":2}`);
  const names = await kept({target: '/names'});
  assert.deepEqual([names.args, names.args_left_out], [undefined, 'names']);

  // A credential is none of the record's, wherever it stands; nor is what a terminal acts on.
  const hostile = {[jordan.token]: `use ${jordan.token}`, k: 'k-9876543210', e: '\u001b[2J\u202e'};
  await post('/api/secrets', JSON.stringify(hostile));
  assert.deepEqual(
      (await kept({target: '/secrets'})).args,
      {'[credential]': 'use [credential]', k: '[credential]', e: '\u001b[2J\u202e'});
  const text = JSON.stringify(sidecar.audit());
  assert.ok(!text.includes(jordan.token) && !text.includes('k-9876543210'));
  const raw = (await run('cat', [sidecar.auditPath])).out;
  assert.ok(!/[\x00-\x09\x0b-\x1f\x7f\u202e]/.test(raw), 'escaped');

  await sidecar.stop();
  const path = sidecar.auditPath;
  assert.equal((await run(binary, ['audit', 'verify', path])).code, 0);
  const found = await run(binary, ['audit', 'query', '--json', '--text', '"to":"kim"', path]);
  assert.equal(found.out.trim().split('\n').length, 2);
  const exported = await run(binary, ['audit', 'export', '--json', '--target', '/all', path]);
  assert.deepEqual(JSON.parse(exported.out).args, {to: 'kim', n: 1.5, list: [true, null]});
  const csv = (await run(binary, ['audit', 'export', '--csv', '--target', '/all', path])).out;
  assert.ok(csv.includes(',"{""to"":""kim"",""n"":1.50,""list"":[true,null]}",'), csv);
});

const guard = (then) => `guards:\n  pii: {patterns: [email], fields: ["*.salary"], ` +
    `on: arguments, then: ${then}}\n`;
scenario('what a guard finds is masked, also where the call was refused before it', async (s) => {
  const rules = `    guards: [pii]\n    allow:\n${allow('api')}${allow('crm')}` +
      '    deny:\n      - {id: no, upstream: api, http: "* /denied/**"}\n' +
      '      - {id: never, upstream: crm, tools: drop}\n';
  const {post, tool, kept, sidecar} =
      await start(s, {rules, more: guard('redact'), arguments: 'full'});
  const mail = 'jane@example.com';
  const masked = {to: '[redacted: email]', pay: {salary: '[redacted: field]'}};
  for (const path of ['/x', '/denied/x']) {
    await post(`/api${path}`, JSON.stringify({to: mail, pay: {salary: 7}}));
    assert.deepEqual((await kept({target: path})).args, masked);
  }
  await tool('drop', {table: mail});
  assert.deepEqual((await kept({target: 'drop'})).args, {table: '[redacted: email]'});
  assert.ok(!JSON.stringify(sidecar.audit()).includes(mail));
});

scenario('what a guard denies, or only reports, is not kept or is masked', async (s) => {
  const mail = 'jane@example.com';
  const rules = `    guards: [pii]\n    allow:\n${allow('api')}`;
  const denying = await start(s, {rules, more: guard('deny'), arguments: 'full'});
  assert.equal((await denying.post('/api/x', JSON.stringify({to: mail}))).status, 403);
  const {args, args_left_out} = await denying.kept({target: '/x'});
  assert.deepEqual([args, args_left_out], [undefined, 'guard']);
  assert.ok(!JSON.stringify(denying.sidecar.audit()).includes(mail));

  const reporting =
      await start(s, {rules, more: guard('redact'), arguments: 'full', mode: 'mode: report\n'});
  assert.equal((await reporting.post('/api/x', JSON.stringify({to: mail}))).status, 200);
  assert.equal(reporting.origin.requests[0].body, JSON.stringify({to: mail}));
  assert.deepEqual((await reporting.kept({target: '/x'})).args, {to: '[redacted: email]'});
});
