// The working life of agents on the wire: who is let in and until when, what people see of them,
// and the last day.
import {admin} from './approvals.mjs';
import {agentEntry, allowAll, assert, policyOf, scenario, until} from './lib.mjs';
import {agents} from './stops.mjs';

// A day in UTC, `days` from today.
const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const entry = (name, more) => agentEntry(name, {more});

async function start(s, all) {
  const origin = await s.origin();
  const sidecar = await s.sidecar(
      {policy: policyOf(all, allowAll('api')), upstreams: {api: {http: origin.url()}}});
  const get = (agent) => sidecar.call('GET', '/api/x', {token: agent.token});
  return {origin, sidecar, get};
}

scenario('each state of an agent is enforced and shown', async (s) => {
  const cases = [
    [entry('works', '    review: 90d\n    budget: 20 USD per day\n'), 200, 'active'],
    [entry('last-day', `    expires: ${day(0)}\n`), 200, 'active'],
    [entry('over', `    expires: ${day(-1)}\n`), 403, 'expired'],
    [entry('away', '    status: suspended\n'), 403, 'suspended'],
    [entry('left', '    status: retired\n'), 403, 'retired'],
    [
      entry('new', `    probation: {until: ${day(0)}, limits: [1 calls per hour]}\n`), 200,
      'probation'
    ],
    [
      entry('grown', `    probation: {until: ${day(-1)}, limits: [1 calls per hour]}\n`), 200,
      'active'
    ],
  ];
  const {sidecar, origin, get} = await start(s, cases.map(([agent]) => agent));
  const names = ['works', 'last-day', 'over', 'away', 'left', 'new', 'grown'];
  const told = async () => JSON.parse((await admin(sidecar, 'GET', '/v1/agents')).body);
  for (const each of (await told()).agents) assert.equal(each.unused, true, each.agent);
  for (const [i, [agent, status, state]] of cases.entries()) {
    const answer = await get(agent);
    assert.equal(answer.status, status, names[i]);
    if (status === 403) assert.equal(answer.json.detail, `Denied: the agent is ${state}`);
    assert.equal(await sidecar.metric('reeve_agent_state', {agent: names[i], state}), 1, names[i]);
  }
  assert.equal((await get(cases[5][0])).status, 429, 'the limit of a probation');
  assert.equal((await get(cases[6][0])).status, 200, 'a probation that is over has none');
  assert.equal(origin.requests.length, 5);

  const {agents: all, roles} = await told();
  assert.deepEqual(all.map((each) => each.state), cases.map(([, , state]) => state));
  const [works] = all;
  assert.equal(works.unused, false);
  assert.equal(works.owner, 'dana@acme.example');
  assert.ok(works.last_call && works.hired);
  assert.equal(works.next_review.slice(0, 10), day(90));
  assert.equal(works.review_due, false);
  assert.equal(works.spend[0].limit, '20');
  assert.equal(all[5].probation_until.slice(0, 10), day(1));
  assert.deepEqual(roles, [{role: 'worker', agents: 7, unused: false, state: 'active'}]);
  const one = await admin(sidecar, 'GET', '/v1/agents/works');
  assert.deepEqual(JSON.parse(one.body), works);
  assert.equal((await admin(sidecar, 'GET', '/v1/agents/workz')).status, 404);

  const list = await agents(sidecar);
  assert.equal(list.code, 0, list.err);
  for (const [i, [, , state]] of cases.entries())
    assert.match(list.out, new RegExp(`^${names[i]} +${state} `, 'm'));
  assert.match(list.out, /^works .* of 20 USD a day/m);
  const show = await agents(sidecar, 'show', 'away');
  assert.match(show.out, /^state +suspended$/m);
});

scenario('who never calls is unused, its role too, and a restart forgets no call', async (s) => {
  const [busy, idle] = [entry('busy'), agentEntry('idle', {roles: 'spare'})];
  const origin = await s.origin();
  const sidecar = await s.sidecar({
    policy: policyOf([busy, idle], allowAll('api'), '  spare:\n    allow: [{upstream: api}]\n'),
    upstreams: {api: {http: origin.url()}}
  });
  await sidecar.call('GET', '/api/x', {token: busy.token});
  const list = await agents(sidecar);
  assert.match(list.out, /^idle +unused /m);
  assert.match(list.out, /^role spare is unused/m);
  assert.doesNotMatch(list.out, /^role worker/m);
  const seen = async (from) =>
      JSON.parse((await admin(from, 'GET', '/v1/agents/busy')).body).last_call;
  const before = await seen(sidecar);
  assert.ok(before);
  await sidecar.stop();
  const {folder, port, adminPort, adminToken} = sidecar;
  const again =
      await s.launch({folder, port, adminPort, env: {REEVE_ADMIN_TOKEN: adminToken}}).ready();
  assert.equal(await seen(again), before);
});

scenario('a review is remembered', async (s) => {
  const jordan = entry('jordan', '    review: 90d\n');
  const {sidecar} = await start(s, [jordan]);
  const done = await agents(sidecar, 'review', 'jordan', '--as', 'dana@acme.example');
  assert.equal(done.code, 0, done.err);
  const {reviewed, reviewed_by} =
      JSON.parse((await admin(sidecar, 'GET', '/v1/agents/jordan')).body);
  assert.ok(reviewed);
  assert.equal(reviewed_by, 'dana@acme.example');
  const [line] = sidecar.audit({kind: 'agent'});
  assert.deepEqual([line.agent, line.state, line.by], ['jordan', 'reviewed', 'dana@acme.example']);
});

scenario('who is retired proves nobody, whatever the policy lists, for good', async (s) => {
  const jordan = entry('jordan');
  const robin = entry('robin');
  const {sidecar, get} = await start(s, [jordan, robin]);
  assert.equal((await get(jordan)).status, 200);
  assert.match((await agents(sidecar, 'retire', 'jordan', '--dry-run')).out, /would be retired/);
  assert.equal((await get(jordan)).status, 200);
  const retired =
      await agents(sidecar, 'retire', 'jordan', '--as', 'dana@acme.example', '--why', 'replaced');
  assert.equal(retired.code, 0, retired.err);
  assert.match(retired.out, /^agent jordan retired/);
  const refused = await get(jordan);
  assert.equal(refused.status, 401);
  assert.equal(refused.json.detail, 'the credential is revoked: its agent is retired');
  assert.equal((await get(robin)).status, 200);
  for (const verb of ['resume', 'stop', 'retire']) {
    const no = await agents(sidecar, verb, 'jordan');
    assert.equal(no.code, 1);
    assert.match(no.err, /retired, for good/);
  }
  await sidecar.kill();
  const {folder, port, adminPort, adminToken} = sidecar;
  const again =
      await s.launch({folder, port, adminPort, env: {REEVE_ADMIN_TOKEN: adminToken}}).ready();
  assert.equal((await again.call('GET', '/api/x', {token: jordan.token})).status, 401);
  assert.equal(await again.metric('reeve_agent_state', {agent: 'jordan', state: 'retired'}), 1);
  await until(() => again.audit({kind: 'agent', state: 'retired'}).length === 1, 'its line');
});
