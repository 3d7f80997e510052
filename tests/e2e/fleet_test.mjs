// Budgets that sidecars share through a real PostgreSQL: to the cent under concurrency, with the
// database away, with sidecars that are killed, and across failovers that lose what was allowed.
import {readFileSync} from 'node:fs';
import http from 'node:http';

import {agentEntry, assert, call, long, policyOf, scenario, until} from './lib.mjs';
import {postgres, urlOf} from './postgres.mjs';

const allowApi = '    allow:\n      - {upstream: api}\n';
const capped = (limit) => `prices:
  - {upstream: api, http: "POST /buy", cost: 0.01 USD}
budgets:
  cap: {for: everyone, limit: ${limit} USD per year, warn: 80%}
`;

// A fleet of `count` sidecars on one cap, and what reached the upstream behind them.
async function fleet(s, {count = 3, limit, database, threads = 1}) {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const wirings = [];
  for (let i = 0; i < count; ++i) {
    const wiring = await s.configure({
      policy: policyOf([jordan], allowApi, capped(limit)),
      upstreams: {api: {http: origin.url()}},
      config: {fleet: {database: '${FLEET_DATABASE}', instance: `pod-${i}`}, threads}
    });
    wiring.env.FLEET_DATABASE = database;
    wirings.push(wiring);
  }
  const sidecars = await Promise.all(wirings.map((wiring) => s.launch(wiring).ready()));
  return {origin, token: jordan.token, wirings, sidecars};
}

const budgets = async (sidecar) => {
  const answer = await call(sidecar.adminPort, 'GET', '/v1/budgets', {token: sidecar.adminToken});
  assert.equal(answer.status, 200);
  return answer.json;
};

// `clients` at once until `enough`; statuses by count.
async function hammer(sidecar, token, clients, each) {
  const statuses = {};
  await Promise.all(Array.from({length: clients}, async () => {
    const agent = new http.Agent({keepAlive: true, maxSockets: 1});
    for (let i = 0; i < each; ++i) {
      const answer = await sidecar.call('POST', '/api/buy', {token, body: 'x', agent})
                         .catch((error) => ({status: error.code ?? 'error'}));
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    }
    agent.destroy();
  }));
  return statuses;
}

// Until all that is left has been spent: every sidecar is refused though nobody else is calling.
async function spendAll(sidecars, token, origin, cap) {
  await until(async () => {
    for (const sidecar of sidecars) await hammer(sidecar, token, 2, 2);
    assert.ok(origin.requests.length <= cap, `${origin.requests.length} calls, the cap is ${cap}`);
    return origin.requests.length === cap;
  }, `${cap} calls`);
}

scenario('three sidecars share a cap to the cent, and say what all have used', async (s) => {
  const database = await postgres(s);
  const {origin, token, sidecars} =
      await fleet(s, {limit: '3.00', database: urlOf(database), threads: 2});
  const statuses = await Promise.all(sidecars.map((sidecar) => hammer(sidecar, token, 16, 10)));
  const passed = statuses.reduce((sum, each) => sum + (each[200] ?? 0), 0);
  assert.equal(passed, origin.requests.length);
  assert.ok(passed <= 300);
  await spendAll(sidecars, token, origin, 300);
  // What the others had leased and could not spend is known to be used once they have said so.
  await until(async () => {
    const refused = await sidecars[0].call('POST', '/api/buy', {token, body: 'x'});
    assert.equal(refused.status, 402);
    return refused.json.used === '3 USD';
  }, 'a refusal that knows what all have used');
  await until(async () => {
    const seen = await Promise.all(sidecars.map(budgets));
    const own = seen.reduce((sum, each) => sum + Number(each.budgets[0].used), 0);
    return Math.abs(own - 3) < 1e-9 &&
        seen.every((each) => each.fleet.up && each.fleet.members === 3) &&
        seen.every((each) => each.budgets[0].used_by_all === '3');
  }, 'the same figures everywhere');
  assert.equal(await sidecars[1].metric('reeve_fleet_up'), 1);
  assert.equal(await sidecars[1].metric('reeve_fleet_members'), 3);
  assert.equal(await sidecars[1].metric('reeve_budget_used_by_all'), 3);
  await until(
      () => sidecars[0].audit({kind: 'budget', state: 'spent'}).length === 1, 'its line `spent`');
  assert.equal(await database.sql('SELECT sum(allowance) FROM reeve_lease'), String(3_000_000));
  for (const sidecar of sidecars) {
    assert.equal((await sidecar.stop()).code, 0);
    assert.ok(!sidecar.stderr.includes(database.password), 'no password in the log');
  }
  assert.equal(await database.sql('SELECT count(*) FROM reeve_member WHERE active'), '0');
});

scenario('libpq is loaded with a fleet, and not without', async (s) => {
  const database = await postgres(s);
  const {sidecars} = await fleet(s, {count: 1, limit: '1.00', database: urlOf(database)});
  const jordan = agentEntry('jordan');
  const origin = await s.origin();
  const alone = await s.sidecar(
      {policy: policyOf([jordan], allowApi), upstreams: {api: {http: origin.url()}}});
  const maps = (sidecar) => readFileSync(`/proc/${sidecar.pid}/maps`, 'utf8');
  assert.match(maps(sidecars[0]), /libpq\.so/);
  assert.doesNotMatch(maps(alone), /libpq\.so/);
});

scenario(
    'the database away: leases are spent, then calls are refused, then it goes on', async (s) => {
      const database = await postgres(s);
      const {origin, token, sidecars: [first, second]} =
          await fleet(s, {count: 2, limit: '4.00', database: urlOf(database)});
      assert.equal((await first.call('POST', '/api/buy', {token, body: 'x'})).status, 200);
      await database.command('stop', 'immediate');
      // What is leased is spent as if nothing had happened.
      const statuses = await hammer(first, token, 4, 5);
      assert.deepEqual(statuses, {200: 20});
      const refused = await until(async () => {
        const answer = await first.call('POST', '/api/buy', {token, body: 'x'});
        return answer.status !== 200 && answer;
      }, 'the end of the lease');
      assert.equal(refused.status, 503);
      assert.match(refused.json.detail, /the fleet's database/);
      assert.ok(!refused.body.includes(database.password));
      assert.equal((await budgets(first)).fleet.up, false);
      assert.equal((await second.call('POST', '/api/buy', {token, body: 'x'})).status, 503);
      assert.ok(origin.requests.length <= 400);
      await database.command('start');
      await until(
          async () => (await second.call('POST', '/api/buy', {token, body: 'x'})).status === 200,
          'the database being back');
      // One that does not answer, though it is there.
      await database.command('freeze');
      await hammer(second, token, 4, 4);
      await database.command('thaw');
      await until(
          async () => (await first.call('POST', '/api/buy', {token, body: 'x'})).status === 200,
          'the database answering again');
      await spendAll([first, second], token, origin, 400);
    });

scenario('kill -9 of a sidecar: what it had not used comes back with it', async (s) => {
  const database = await postgres(s);
  const {origin, token, wirings, sidecars} =
      await fleet(s, {limit: '3.00', database: urlOf(database)});
  const calls = sidecars.map((sidecar) => hammer(sidecar, token, 4, 10));
  await until(() => origin.requests.length > 20, 'calls under way');
  await sidecars[0].kill();
  await Promise.all(calls);
  sidecars[0] = await s.launch(wirings[0]).ready();
  // Its mark was written ahead: that counts as spent, and nothing else.
  await until(async () => {
    await Promise.all(sidecars.map((sidecar) => hammer(sidecar, token, 2, 2)));
    const used = await database.sql('SELECT sum(allowance) FROM reeve_lease');
    assert.ok(origin.requests.length <= 300);
    // A mark is no number of whole calls: less than one may be left.
    return Number(used) > 2_990_000 && Number(used) <= 3_000_000 &&
        (await Promise.all(sidecars.map((each) => hammer(each, token, 1, 1))))
            .every((each) => each[402] === 1);
  }, 'everything spent');
  const own = (await Promise.all(sidecars.map(budgets)))
                  .reduce((sum, each) => sum + Number(each.budgets[0].used), 0);
  assert.ok(own > 2.98 && own < 3 + 1e-9, `${own} USD are counted`);
  assert.ok(origin.requests.length > 200, `a crash cost ${300 - origin.requests.length} calls`);
});

const failovers = long ? 100 : 2;
scenario('failovers that lose what was allowed: nobody overspends, nothing leaks', async (s) => {
  let primary = await postgres(s);
  for (let round = 0; round < failovers; ++round) {
    const replica = await postgres(s, primary);
    const {origin, token, sidecars} =
        await fleet(s, {limit: '2.00', database: urlOf(primary, replica)});
    await Promise.all(sidecars.map((sidecar) => hammer(sidecar, token, 2, 5)));
    await replica.command('cut');  // what is allowed from here on is lost
    await Promise.all(sidecars.map((sidecar) => hammer(sidecar, token, 4, 10)));
    await primary.command('stop', 'immediate');
    const meanwhile = sidecars.map((sidecar) => hammer(sidecar, token, 2, 10));
    await replica.command('promote');
    await Promise.all(meanwhile);
    assert.ok(origin.requests.length <= 200);
    await spendAll(sidecars, token, origin, 200);
    for (const sidecar of sidecars) assert.equal((await sidecar.stop()).code, 0);
    await replica.sql('DELETE FROM reeve_lease; DELETE FROM reeve_member');
    primary = replica;
  }
}, {timeout: long ? 3_600_000 : 240_000});
