// A yes is for exactly one call: whatever is bound and differs asks anew, and what has changed
// since, in the policy or in time, voids it (G31).
import {agentEntry, answer, askingPolicy, listed, pending, people} from './approvals.mjs';
import {assert, scenario, until} from './lib.mjs';

const jordan = agentEntry('jordan');
const robin = agentEntry('robin');
const selector = 'http: "POST,PUT /**"';
const headers = {
  'Prefer': 'respond-async',
  'Content-Type': 'application/json'
};
const base = {
  method: 'POST',
  path: '/api/refunds?x=1',
  token: jordan.token,
  headers,
  body: '{"amount":250,"to":[1]}'
};

async function api(s, options = {}) {
  const origin = await s.origin();
  const other = await s.origin();
  const sidecar = await s.sidecar({
    policy: askingPolicy([jordan, robin], {selector, upstream: '"*"', ...options}),
    upstreams: {api: {http: origin.url()}, other: {http: other.url()}},
  });
  const send = (change = {}) => {
    const {method, path, ...rest} = {...base, ...change};
    return sidecar.call(method, path, rest);
  };
  return {origin, other, sidecar, send};
}

scenario('each bound value is compared', async (s) => {
  const {origin, other, sidecar, send} = await api(s);
  const first = await send();
  await answer(sidecar, first.json.approval, 'approve');
  const changes = {
    agent: {token: robin.token},
    upstream: {path: '/other/refunds?x=1'},
    method: {method: 'PUT'},
    target: {path: '/api/refunds2?x=1'},
    query: {path: '/api/refunds?x=2'},
    'no query': {path: '/api/refunds'},
    'content type': {headers: {...headers, 'Content-Type': 'text/plain'}},
    amount: {body: '{"amount":251,"to":[1]}'},
    'a digit that no double holds': {body: '{"amount":250.00000000000000001,"to":[1]}'},
    'one more member': {body: '{"amount":250,"to":[1],"x":null}'},
    'no body': {body: ''},
  };
  for (const [name, change] of Object.entries(changes)) {
    const answered = await send(change);
    assert.equal(answered.status, 202, name);
    assert.notEqual(answered.json.approval, first.json.approval, name);
  }
  assert.equal(origin.requests.length + other.requests.length, 0);
  assert.equal((await send()).status, 200, 'the call itself goes out');
  assert.equal(origin.requests.length, 1);
});

scenario('a policy that denies by now voids the yes', async (s) => {
  const {origin, sidecar, send} = await api(s);
  const first = await send();
  const waiting = send({headers: {'Content-Type': 'application/json'}});
  const policy = askingPolicy([jordan, robin], {selector, upstream: '"*"'});
  const reload = async (text) => {
    const before = await sidecar.metric('reeve_policy_reloads_total', {result: 'ok'});
    sidecar.writePolicy(text);
    await until(
        async () => await sidecar.metric('reeve_policy_reloads_total', {result: 'ok'}) > before,
        'the reload');
  };
  await reload(policy.replace('    allow:', '    deny: [{id: never, upstream: api}]\n    allow:'));
  assert.equal((await answer(sidecar, first.json.approval, 'approve')).status, 200);
  const answered = await waiting;
  assert.equal(answered.status, 403);
  assert.equal(answered.json.rule, 'never');
  await until(
      async () =>
          (await listed(sidecar)).find((each) => each.approval === first.json.approval).state ===
          'voided',
      'the yes is void');
  await reload(policy);
  assert.equal((await send()).status, 202, 'and stays void');
  assert.equal(origin.requests.length, 0);
});

scenario('other asking rules, or a person who may no longer, void the yes', async (s) => {
  const {origin, sidecar, send} = await api(s);
  const policy = askingPolicy([jordan, robin], {selector, upstream: '"*"'});
  const reload = async (text) => {
    const before = await sidecar.metric('reeve_policy_reloads_total', {result: 'ok'});
    sidecar.writePolicy(text);
    await until(
        async () => await sidecar.metric('reeve_policy_reloads_total', {result: 'ok'}) > before,
        'the reload');
  };
  const approved = async () => {
    const asked = await send();
    assert.equal(asked.status, 202);
    assert.equal((await answer(sidecar, asked.json.approval, 'approve')).status, 200);
    return asked.json.approval;
  };
  await approved();
  await reload(policy.replaceAll('id: big', 'id: bigger'));
  const renamed = await send();
  assert.equal(renamed.status, 202, 'another rule asks');
  assert.equal((await answer(sidecar, renamed.json.approval, 'approve')).status, 200);
  await reload(policy.replaceAll('id: big', 'id: bigger').replace(`${people[0]}, `, ''));
  const dismissed = await send();
  assert.equal(dismissed.status, 403, 'lee is no approver any more');
  assert.equal(origin.requests.length, 0);
});

scenario('a yes lasts as long as the question, once', async (s) => {
  const {origin, sidecar, send} = await api(s, {within: '2s'});
  const first = await send();
  assert.equal((await answer(sidecar, first.json.approval, 'approve')).status, 200);
  await until(async () => (await listed(sidecar))[0].state === 'expired', 'the end of the yes');
  const late = await send();
  assert.equal(late.status, 202);
  assert.notEqual(late.json.approval, first.json.approval);
  assert.equal(origin.requests.length, 0);
});

scenario('money is taken again when the yes is used', async (s) => {
  const origin = await s.origin();
  const sidecar = await s.sidecar({
    policy: askingPolicy([jordan], {
      selector,
      top: 'prices: [{upstream: api, http: "POST /**", cost: 6 USD}]\n' +
          'budgets: {small: {for: {agent: jordan}, limit: 10 USD per day}}\n'
    }),
    upstreams: {api: {http: origin.url()}},
  });
  const send = (path) => sidecar.call('POST', path, {token: jordan.token, headers, body: '{}'});
  const first = await send('/api/a'), second = await send('/api/b');
  assert.deepEqual([first.status, second.status], [202, 202], 'a question holds no money');
  assert.equal((await listed(sidecar))[0].cost, '6');
  await answer(sidecar, first.json.approval, 'approve');
  await answer(sidecar, second.json.approval, 'approve');
  assert.equal((await send('/api/a')).status, 200);
  assert.equal((await send('/api/b')).status, 402, 'the budget in force');
  const waiting = await pending(sidecar, 0);
  assert.deepEqual(waiting, []);
  assert.equal(origin.requests.length, 1);
});
