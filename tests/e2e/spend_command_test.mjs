// `reeve spend`: what it says of a running sidecar, of one that has ended or died, and to whom.
import {existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import {join} from 'node:path';

import {agentEntry, assert, binary, call, newToken, policyOf, run, scenario, sha256, until} from './lib.mjs';

const jordan = agentEntry('jordan');
const robin = agentEntry('robin');
const policy = policyOf([jordan, robin], '    allow:\n      - {upstream: "*"}\n', `prices:
  - {upstream: api, http: "POST /buy", cost: 0.01 USD}
  - {upstream: other, http: "POST /buy", cost: 2.5 USD}
budgets:
  own: {for: {each: agent}, limit: 100 USD per month, warn: 50%}
  others: {for: {agent: robin}, limit: 3 calls total}
`);

const spend = (sidecar, words, env = {
  REEVE_ADMIN_TOKEN: sidecar.adminToken
}) => run(binary, ['spend', ...words, '-c', join(sidecar.folder, 'reeve.yaml')], {env});
const total = async (sidecar, ...words) => {
  const {code, out, err} = await spend(sidecar, ['--total', ...words]);
  assert.equal(code, 0, err);
  assert.match(out, /^\d+(\.\d+)?\n$/);
  return out.trim();
};

scenario('what is spent, by agent, team, upstream and budget', async (s) => {
  const origin = await s.origin(), other = await s.origin();
  const sidecar =
      await s.sidecar({policy, upstreams: {api: {http: origin.url()}, other: {http: other.url()}}});
  assert.equal(await total(sidecar, '--agent', 'jordan'), '0');
  for (let i = 0; i < 3; ++i) await call(sidecar.port, 'POST', '/api/buy', {token: jordan.token});
  await call(sidecar.port, 'POST', '/other/buy', {token: jordan.token});
  await call(sidecar.port, 'POST', '/api/buy', {token: robin.token});
  await call(sidecar.port, 'GET', '/api/free', {token: robin.token});
  await sidecar.records({decision: 'allow'}, 6);

  assert.equal(await total(sidecar, '--agent', 'jordan'), '2.53');
  assert.equal(await total(sidecar, '--agent', 'robin'), '0.01');
  assert.equal(await total(sidecar, '--agent=jordan', '--upstream=api'), '0.03');
  assert.equal(await total(sidecar, '--team', 'testers'), '2.54');
  assert.equal(await total(sidecar), '2.54');
  assert.equal(await total(sidecar, '--since', '2099-01-01'), '0');

  const told = await until(async () => {
    const {code, out, err} = await spend(sidecar, ['--json']);
    assert.equal(code, 0, err);
    const json = JSON.parse(out);
    return json.budgets.every((each) => each.reserved === '0') && json;
  }, 'all of it is settled');
  assert.equal(told.source, 'sidecar');
  const budget = (name, scope) =>
      told.budgets.find((each) => each.budget === name && each.scope === scope);
  const own = budget('own', 'agent:jordan');
  assert.deepEqual(
      [own.unit, own.period, own.limit, own.used, own.left],
      ['USD', 'month', '100', '2.53', '97.47']);
  assert.match(own.resets, /^\d{4}-\d\d-01T00:00:00Z$/);
  assert.equal(budget('others', 'agent:robin').used, '2');
  assert.equal(budget('others', 'agent:robin').resets, undefined);
  const {spent} = told;
  assert.equal(spent.total, '2.54');
  assert.equal(spent.currency, 'USD');
  assert.deepEqual(
      spent.agents.map(({agent, total, calls}) => [agent, total, calls]),
      [['jordan', '2.53', 4], ['robin', '0.01', 2]]);
  assert.deepEqual(spent.teams.map(({team, total}) => [team, total]), [['testers', '2.54']]);
  assert.deepEqual(
      spent.upstreams.map(({upstream, total}) => [upstream, total]),
      [['api', '0.04'], ['other', '2.5']]);

  const {out} = await spend(sidecar, []);
  assert.match(out, /of the running sidecar/);
  assert.match(out, /own\s+agent:jordan\s+2 %\s+2\.53\s+0\s+100 USD per month\s+in \d+ /);
  assert.match(out, /jordan\s+4\s+2\.53 USD/);
  assert.doesNotMatch(out, /\x1b/, 'no colour where nobody looks');
  const ofRobin = await spend(sidecar, ['--agent', 'robin']);
  assert.match(ofRobin.out, /others\s+agent:robin/);
  assert.doesNotMatch(ofRobin.out, /jordan/);
  const one = JSON.parse((await spend(sidecar, ['--json', '--budget', 'others'])).out);
  assert.deepEqual(one.budgets.map((each) => each.budget), ['others']);
});

scenario('without a sidecar the state on disk is told, and nothing is written', async (s) => {
  const origin = await s.origin();
  const wiring = await s.configure(
      {policy, upstreams: {api: {http: origin.url()}, other: {http: origin.url()}}});
  const first = await s.launch(wiring).ready();
  for (let i = 0; i < 4; ++i) await call(first.port, 'POST', '/other/buy', {token: jordan.token});
  await first.stop();
  const files = () =>
      readdirSync(join(first.folder, 'state'))
          .filter((name) => !/-(shm|wal)$/.test(name))
          .map((name) => [name, readFileSync(join(first.folder, 'state', name), 'hex')]);
  const before = files();
  const {code, out, err} = await spend(first, ['--json']);
  assert.equal(code, 0, err);
  const told = JSON.parse(out);
  assert.equal(told.source, 'state');
  assert.equal(told.budgets.find((each) => each.scope === 'agent:jordan').used, '10');
  assert.equal(told.spent.total, '10');
  assert.match((await spend(first, [])).out, /no sidecar is running.*ledger\.db/);
  // No secret is needed for that.
  assert.equal((await spend(first, ['--agent', 'jordan', '--total'], {})).out, '10\n');
  assert.deepEqual(files(), before);

  const second = await s.launch(wiring).ready();
  await call(second.port, 'POST', '/other/buy', {token: jordan.token});
  await second.kill();
  const died = JSON.parse((await spend(second, ['--json'])).out);
  const used = Number(died.budgets.find((each) => each.scope === 'agent:jordan').used);
  assert.ok(used >= 12.5 && used <= 12.5 + 100 / 8, `${used} were marked as used`);
  assert.equal(died.spent.total, '12.5');
});

scenario('a call that was cut off by kill -9 costs what was reserved', async (s) => {
  const hanging = http.createServer(() => {});
  await new Promise((done) => hanging.listen(0, '127.0.0.1', done));
  s.defer(() => {
    hanging.closeAllConnections();
    hanging.close();
  });
  const wiring = await s.configure({
    policy,
    upstreams: {
      api: {http: `http://127.0.0.1:${hanging.address().port}`},
      other: {http: 'http://127.0.0.1:1'}
    }
  });
  const first = await s.launch(wiring).ready();
  const lost = call(first.port, 'POST', '/api/buy', {token: jordan.token}).catch(() => null);
  await until(() => first.audit({kind: 'decision', agent: 'jordan'}).length === 1, 'its line');
  assert.equal(await total(first, '--agent', 'jordan'), '0.01', 'under way');
  await first.kill();
  await lost;
  await s.launch(wiring).ready();
  const {out} = await spend(
      first, ['--json', '--agent', 'jordan'], {REEVE_ADMIN_TOKEN: wiring.env.REEVE_ADMIN_TOKEN});
  const {spent} = JSON.parse(out);
  assert.deepEqual(
      [spent.cost, spent.reserved, spent.total, spent.calls], ['0.01', '0', '0.01', 1]);
});

scenario('mistakes are named, and a stranger is told nothing', async (s) => {
  const origin = await s.origin();
  const lee = newToken();
  const wiring = await s.configure(
      {policy, upstreams: {api: {http: origin.url()}, other: {http: origin.url()}}});
  const file = join(wiring.folder, 'reeve.yaml');
  const config = JSON.parse(readFileSync(file, 'utf8'));
  config.admin.people = [{name: 'lee@acme.example', role: 'viewer', token_sha256: sha256(lee)}];
  writeFileSync(file, JSON.stringify(config));
  const sidecar = await s.launch(wiring).ready();
  for (const [words, code, says] of [
           [['--agent', 'jordn'], 1, /no agent `jordn`; did you mean `jordan`/],
           [['--total', '--json'], 2, /exclude each other/],
           [['--total', '--budget', 'own'], 2, /`--total` is of calls/],
           [['--since', 'yesterday'], 2, /is no time/],
           [['--totl'], 2, /did you mean `--total`/],
           [['word'], 2, /unexpected word/],
  ]) {
    const done = await spend(sidecar, words);
    assert.equal(done.code, code, `${words}: ${done.err}`);
    assert.match(done.err, says);
    assert.equal(done.out, '');
  }
  const viewer = await spend(sidecar, ['--json'], {REEVE_TOKEN: lee});
  assert.equal(JSON.parse(viewer.out).source, 'sidecar', 'a viewer may look');
  const stranger = await spend(sidecar, [], {REEVE_TOKEN: newToken()});
  assert.equal(stranger.code, 1);
  assert.match(stranger.err, /admin token/);
  const none = await spend(sidecar, [], {});
  assert.equal(none.code, 1);
  assert.match(none.err, /REEVE_TOKEN/);
  const nowhere = await spend({folder: '/nowhere'}, []);
  assert.equal(nowhere.code, 2);
  assert.ok(!existsSync('/nowhere'));
});
