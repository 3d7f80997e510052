// A new policy takes effect whole; a bad one changes nothing, and says where it is wrong.
import {rmSync} from 'node:fs';
import {join} from 'node:path';

import {agentEntry, assert, policyOf, scenario, until} from './lib.mjs';

const rules = (allowed) =>
    `    allow:\n      - {id: some, upstream: api, http: "GET /${allowed}"}\n`;

async function start(s) {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], rules('one')), upstreams: {api: {http: origin.url()}}});
  const status = async (path) => (await sidecar.call('GET', path, {token: jordan.token})).status;
  return {sidecar, jordan, status};
}
const reloads = (sidecar, good) => sidecar.metrics().then(
    (all) => all.filter(
                    (series) => series.name === 'reeve_policy_reloads_total' &&
                        /ok|success/.test(series.labels.result) === good)
                 .reduce((sum, series) => sum + series.value, 0));

scenario('SIGHUP puts a good policy in force', async (s) => {
  const {sidecar, jordan, status} = await start(s);
  assert.deepEqual([await status('/api/one'), await status('/api/two')], [200, 403]);
  const [{decision: {policy: before}}] = await sidecar.records({target: '/one'});
  sidecar.writePolicy(policyOf([jordan], rules('two')));
  sidecar.signal('SIGHUP');
  await until(async () => (await status('/api/two')) === 200, 'the new policy');
  assert.equal(await status('/api/one'), 403);
  assert.ok(await reloads(sidecar, true) > 0);
  const records = await sidecar.records({target: '/two', decision: 'allow'});
  assert.notEqual(records.at(-1).decision.policy, before);
  await until(() => sidecar.audit({kind: 'policy'}).length > 0, 'a `policy` line in the record');
});

const bad = [
  [
    'an unknown role', (text) => text.replace('roles: [worker]', 'roles: [worker, boss]'),
    /policy\.yaml:\d+:\d+: error: .*`boss`/
  ],
  [
    'an unknown key', (text) => text.replace('allow:', 'alow:'),
    /policy\.yaml:\d+:\d+: error: .*`alow`.*`allow`/
  ],
  ['no YAML', (text) => `${text}  - [`, /policy\.yaml:\d+:\d+: error: /],
  ['a duplicate key', (text) => `${text}version: 1\n`, /policy\.yaml:\d+:\d+: error: .*`version`/],
  ['an empty file', () => '', /policy\.yaml.*error: /],
];
scenario('a bad policy changes nothing and is reported with its place', async (s) => {
  const {sidecar, jordan, status} = await start(s);
  const good = policyOf([jordan], rules('one'));
  for (const [name, spoil, message] of bad) {
    const said = sidecar.stderr.length;
    const failed = await reloads(sidecar, false);
    sidecar.writePolicy(spoil(good.replace('GET /one', 'GET /two')));
    sidecar.signal('SIGHUP');
    await until(async () => (await reloads(sidecar, false)) > failed, `a failed reload: ${name}`);
    await until(() => message.test(sidecar.stderr.slice(said)), `the message about ${name}`);
    assert.deepEqual([await status('/api/one'), await status('/api/two')], [200, 403], name);
  }
  const said = sidecar.stderr.length;
  rmSync(join(sidecar.folder, 'policy.yaml'));
  sidecar.signal('SIGHUP');
  await until(
      () => /policy\.yaml/.test(sidecar.stderr.slice(said)), 'the message about the missing file');
  assert.equal(await status('/api/one'), 200);
  assert.equal(await reloads(sidecar, true), 0);
});

scenario('what was spent stays spent when the policy changes', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const priced = (limit) => policyOf([jordan], '    allow:\n      - {upstream: api}\n', `prices:
  - {upstream: api, http: "* /**", cost: 1 USD}
budgets:
  cap: {for: {agent: jordan}, limit: ${limit} USD per month}
`);
  const sidecar = await s.sidecar({policy: priced(2), upstreams: {api: {http: origin.url()}}});
  const buy = async () => (await sidecar.call('GET', '/api/x', {token: jordan.token})).status;
  assert.deepEqual([await buy(), await buy(), await buy()], [200, 200, 402]);
  sidecar.writePolicy(priced(3));
  sidecar.signal('SIGHUP');
  await until(
      async () => (await sidecar.metric('reeve_budget_limit', {budget: 'cap'})) === 3,
      'the new limit');
  assert.deepEqual([await buy(), await buy()], [200, 402]);
  sidecar.writePolicy(priced(1));
  sidecar.signal('SIGHUP');
  await until(
      async () => (await sidecar.metric('reeve_budget_limit', {budget: 'cap'})) === 1,
      'the lower limit');
  assert.equal(await buy(), 402);
});

scenario('no call fails while policies change', async (s) => {
  const {sidecar, jordan, status} = await start(s);
  let changing = true;
  const seen = new Set();
  const calls = (async () => {
    while (changing) seen.add(await status('/api/one'));
  })();
  for (let i = 1; i <= 20; ++i) {
    sidecar.writePolicy(`${policyOf([jordan], rules('one'))}# ${i}\n`);
    sidecar.signal('SIGHUP');
    await until(async () => (await reloads(sidecar, true)) >= i, `reload ${i}`);
  }
  changing = false;
  await calls;
  assert.deepEqual([...seen], [200]);
});
