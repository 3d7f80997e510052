// A budget with `then: ask`: what would pass its limit waits for people; a yes lets exactly that
// call through, and is seen as such.
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport} from '@modelcontextprotocol/sdk/client/streamableHttp.js';

import {admin, answer, approvals, listed, pending, people} from './approvals.mjs';
import {agentEntry, assert, policyOf, scenario, until, within} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';

const jordan = agentEntry('jordan');
const robin = agentEntry('robin');
const allow = '    allow:\n      - {upstream: "*"}\n';
const leads = `approvers:\n  leads: {members: [${people.join(', ')}]}\n` +
    `  owners: {members: [zoe@acme.example]}\n`;
const priced = (budgets, more = '') => `prices:
  - {upstream: api, http: "POST /buy", cost: 1 USD}
  - {upstream: api, http: "POST /dear", cost: 5 USD}
budgets:
${budgets}${leads}${more}`;
const cap = (limit, {within = '1m', more = ''} = {}) => `  cap: {for: everyone, limit: ${
    limit} USD per year, then: ask, approvers: leads, within: ${within}${more}}\n`;

async function start(s, more, rules = allow) {
  const origin = await s.origin();
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan, robin], rules, more), upstreams: {api: {http: origin.url()}}});
  const post = (path, options = {}) =>
      sidecar.call('POST', `/api${path}`, {token: jordan.token, body: 'x', ...options});
  return {origin, sidecar, post};
}

async function budget(sidecar, name = 'cap') {
  const {budgets} = JSON.parse((await admin(sidecar, 'GET', '/v1/budgets')).body);
  const {used, reserved, approved_over_limit: over} = budgets.find((each) => each.budget === name);
  return {used, reserved, over};
}
const settled = (sidecar, wanted) => until(async () => {
  const is = await budget(sidecar);
  return is.reserved === '0' && is.used === wanted.used && is.over === wanted.over;
}, JSON.stringify(wanted));

scenario('a spent budget asks; a yes is for one call, and shown', async (s) => {
  const {origin, sidecar, post} = await start(s, priced(cap(2)));
  for (let i = 0; i < 2; ++i) assert.equal((await post('/buy')).status, 200);
  const waiting = post('/buy');
  const [question] = await pending(sidecar);
  assert.equal(origin.requests.length, 2, 'nothing of it before the yes');
  const [rule] = question.rules;
  assert.equal(rule.rule, 'budgets.cap');
  assert.match(rule.at, /policy\.yaml:\d+/);
  assert.match(rule.because, /`cap` \(everyone\) has used 2 of 2 USD per year.* may take 1/);
  assert.deepEqual(rule.members, people);
  assert.equal(question.cost, '1');
  await settled(sidecar, {used: '2'});
  const done = await approvals(sidecar, 'approve', '--newest', '--as', people[0]);
  assert.equal(done.code, 0, done.err);
  assert.equal((await within(waiting, 'the answer')).status, 200);
  assert.equal(origin.requests.length, 3);
  await settled(sidecar, {used: '3', over: '1'});
  const [, , {decision, outcome}] = await sidecar.records({target: '/buy'}, 3);
  assert.equal(decision.decision, 'allow');
  assert.equal(decision.over_limit, 'cap');
  assert.equal(decision.approver, people[0]);
  assert.equal(decision.reserved, 1);
  assert.equal(outcome.cost, 1);

  // The next is asked about again; what costs nothing goes on.
  const next = post('/buy');
  const [second] = await pending(sidecar);
  assert.notEqual(second.approval, question.approval);
  assert.equal((await sidecar.call('GET', '/api/free', {token: robin.token})).status, 200);
  assert.equal((await answer(sidecar, second.approval, 'deny', people[1], 'no more')).status, 200);
  const denied = await within(next, 'the answer');
  assert.equal(denied.status, 403);
  assert.match(denied.json.detail, /no more/);
  await settled(sidecar, {used: '3', over: '1'});
});

scenario('fifty wait for one yes: one goes out, and no more is held than that', async (s) => {
  const {origin, sidecar, post} = await start(s, priced(cap(1)));
  assert.equal((await post('/buy')).status, 200);
  let left = 50;
  const waiting = Array.from({length: left}, () => post('/buy').finally(() => --left));
  const [question] = await pending(sidecar);
  assert.equal((await answer(sidecar, question.approval, 'approve')).status, 200);
  // Whoever came after the yes was used asks anew, and is told no.
  await until(async () => {
    for (const {approval, state} of await listed(sidecar, '')) {
      if (state === 'pending') await answer(sidecar, approval, 'deny');
    }
    return left === 0;
  }, 'all answers');
  const answers = await Promise.all(waiting);
  assert.deepEqual(
      answers.map((each) => each.status).sort(), [200, ...Array.from({length: 49}, () => 403)]);
  assert.equal(origin.requests.length, 2);
  await settled(sidecar, {used: '2', over: '1'});
});

scenario('a call that ends cheaper, or never leaves, takes its raise back', async (s) => {
  const {origin, sidecar, post} = await start(s, priced(cap(2)));
  for (let i = 0; i < 2; ++i) await post('/buy');
  const waiting = post('/dear');
  const [question] = await pending(sidecar);
  await origin.close();
  origin.close = async () => {};
  assert.equal((await answer(sidecar, question.approval, 'approve')).status, 200);
  assert.equal((await within(waiting, 'the answer')).status, 502);
  await settled(sidecar, {used: '2'});
});

scenario('each budget that is short asks its own people; one without `ask` refuses', async (s) => {
  const {origin, sidecar, post} =
      await start(s, priced(`${cap(2)}  own: {for: {each: agent}, limit: 2 calls per year,
    upstream: api, http: "POST /**", then: ask, approvers: owners}
  hard: {for: everyone, limit: 8 USD per year}
`));
  for (let i = 0; i < 2; ++i) await post('/buy');
  const waiting = post('/dear');
  const [question] = await pending(sidecar);
  assert.deepEqual(question.rules.map((each) => each.rule), ['budgets.cap', 'budgets.own']);
  assert.equal(
      (await answer(sidecar, question.approval, 'approve', people[0])).json?.state, 'pending');
  assert.equal(
      (await answer(sidecar, question.approval, 'approve', 'zoe@acme.example')).status, 200);
  assert.equal((await within(waiting, 'the answer')).status, 200);
  await settled(sidecar, {used: '7', over: '5'});
  assert.deepEqual(await budget(sidecar, 'own'), {used: '3', reserved: '0', over: '1'});
  const refused = await post('/dear');
  assert.equal(refused.status, 402);
  assert.equal(refused.json.budget, 'hard');
  assert.equal((await listed(sidecar, '')).length, 0, 'nobody is asked');
  assert.equal(origin.requests.length, 3);
});

scenario('an ask rule and a spent budget are one question', async (s) => {
  const {sidecar, post} = await start(s, priced(cap(0)), `    ask:
      - {id: big, upstream: api, http: "POST /dear", approvers: owners}
${allow}`);
  const waiting = post('/dear');
  const [question] = await pending(sidecar);
  assert.deepEqual(question.rules.map((each) => each.rule), ['big', 'budgets.cap']);
  await answer(sidecar, question.approval, 'approve', 'zoe@acme.example');
  await answer(sidecar, question.approval, 'approve', people[2]);
  assert.equal((await within(waiting, 'the answer')).status, 200);
  await settled(sidecar, {used: '5', over: '5'});
});

scenario(
    'silence is a no, 202 is for those who ask for it, and a restart forgets nothing',
    async (s) => {
      const origin = await s.origin();
      const wiring = await s.configure({
        policy: policyOf([jordan], allow, priced(cap(1, {within: '1m'}))),
        upstreams: {api: {http: origin.url()}}
      });
      const first = await s.launch(wiring).ready();
      const options = {token: jordan.token, body: 'x', headers: {Prefer: 'respond-async'}};
      assert.equal((await first.call('POST', '/api/buy', options)).status, 200);
      const told = await first.call('POST', '/api/buy', options);
      assert.equal(told.status, 202);
      assert.equal((await answer(first, told.json.approval, 'approve')).status, 200);
      assert.equal((await first.stop()).code, 0);
      const second = await s.launch(wiring).ready();
      assert.equal((await second.call('POST', '/api/buy', options)).status, 200);
      assert.equal((await second.call('POST', '/api/buy', options)).status, 202);
      assert.equal(origin.requests.length, 2);
      await settled(second, {used: '2', over: '1'});
      assert.equal((await second.stop()).code, 0);
      const third = await s.launch(wiring).ready();
      assert.deepEqual(await budget(third), {used: '2', reserved: '0', over: '1'});

      third.writePolicy(policyOf([jordan], allow, priced(cap(1, {within: '1s'}))));
      third.signal('SIGHUP');
      await until(
          async () => await third.metric('reeve_policy_reloads_total', {result: 'ok'}) >= 1,
          'the reload');
      const silent = await third.call('POST', '/api/buy?again', {token: jordan.token, body: 'y'});
      assert.equal(silent.status, 403);
      assert.match(silent.json.detail, /nobody said yes in time/);
    });

scenario('a budget that has room again asks for nothing', async (s) => {
  const {origin, sidecar, post} = await start(s, priced(cap(1)));
  await post('/buy');
  const waiting = post('/buy');
  const [question] = await pending(sidecar);
  sidecar.writePolicy(policyOf([jordan, robin], allow, priced(cap(100))));
  sidecar.signal('SIGHUP');
  await until(
      async () => await sidecar.metric('reeve_budget_limit', {budget: 'cap'}) === 100,
      'the reload');
  assert.equal((await answer(sidecar, question.approval, 'approve')).status, 200);
  assert.equal((await within(waiting, 'the answer')).status, 200);
  assert.equal(origin.requests.length, 2);
  await settled(sidecar, {used: '2'});
});

scenario('report mode asks nobody, and says what it would have done', async (s) => {
  const {sidecar, post} = await start(s, priced(cap(0), 'mode: report\n'));
  assert.equal((await post('/buy')).status, 200);
  const [{decision}] = await sidecar.records({target: '/buy'});
  assert.deepEqual(
      [decision.mode, decision.decision, decision.reason], ['report', 'deny', 'budget']);
});

scenario('an MCP client waits for the yes, and gets its result', async (s) => {
  const fixture = await mcpOrigin(s);
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], '    allow:\n      - {upstream: fixture}\n', `prices:
  - {upstream: fixture, tools: add, cost: 0.10 USD}
budgets:
  sums: {for: {each: agent}, limit: 0.10 USD per month, then: ask, approvers: leads}
${leads}`),
    upstreams: {fixture: {mcp: fixture.url}}
  });
  const client = new Client({name: 'e2e', version: '1'});
  await client.connect(new StreamableHTTPClientTransport(
      new URL(`http://127.0.0.1:${sidecar.port}/fixture`),
      {requestInit: {headers: {Authorization: `Bearer ${jordan.token}`}}}));
  const add = () => client.callTool({name: 'add', arguments: {a: 1, b: 1}});
  assert.equal((await add()).isError ?? false, false);
  const waiting = add();
  const [question] = await pending(sidecar);
  assert.equal(question.rules[0].rule, 'budgets.sums');
  assert.equal(fixture.ran.length, 1);
  assert.equal((await answer(sidecar, question.approval, 'approve')).status, 200);
  assert.equal((await within(waiting, 'the result')).isError ?? false, false);
  assert.equal(fixture.ran.length, 2);
  assert.equal((await budget(sidecar, 'sums')).over, '0.1');
  await client.close();
});
