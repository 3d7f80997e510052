// A call that waits for people: plain HTTP waits, or is told where to look; a yes is for one call,
// a no and silence are a no, and nothing runs without a live caller.
import http from 'node:http';

import {admin, agentEntry, answer, approvals, askingPolicy, listed, pending, people} from './approvals.mjs';
import {assert, scenario, sha256, until, within} from './lib.mjs';

const jordan = agentEntry('jordan');
const robin = agentEntry('robin');
const selector = 'http: "POST /refunds"';
const refund = {
  token: jordan.token,
  body: {amount: 250, note: 'please \u202e now'}
};
const async = {
  ...refund,
  headers: {'Prefer': 'respond-async', 'Content-Type': 'application/json'}
};

async function api(s, options = {}) {
  const origin = await s.origin();
  const sidecar = await s.sidecar({
    policy: askingPolicy([jordan, robin], {selector, ...options}),
    upstreams: {api: {http: origin.url()}},
    config: options.config,
  });
  return {origin, sidecar};
}

scenario('a call waits for its yes, and goes out once', async (s) => {
  const {origin, sidecar} = await api(s);
  await sidecar.call('GET', '/api/other', {token: jordan.token});
  const waiting = sidecar.call('POST', '/api/refunds?x=1', refund);
  const [question] = await pending(sidecar);
  assert.equal(origin.requests.length, 1, 'nothing of it before the yes');
  assert.equal(question.agent, 'jordan');
  assert.equal(question.owner, 'dana@acme.example');
  assert.equal(question.purpose, 'Testing');
  assert.equal(question.action, 'POST');
  assert.equal(question.target, '/refunds');
  assert.equal(question.query, 'x=1');
  assert.match(question.arguments, /250/);
  assert.match(question.arguments, /\\u202e/, 'what does not show is written out');
  assert.deepEqual(question.rules[0].members, people);
  assert.equal(question.rules[0].because, 'Leads decide');
  assert.equal(question.before[0].target, '/other');
  assert.equal(await sidecar.metric('reeve_approvals_pending'), 1);

  const done = await approvals(sidecar, 'approve', '--newest', '--as', people[0], '--why', 'fine');
  assert.equal(done.code, 0, done.err);
  const answered = await within(waiting, 'the answer');
  assert.equal(answered.status, 200);
  assert.equal(origin.requests.length, 2);
  assert.deepEqual(JSON.parse(origin.requests[1].body), refund.body);

  const [{decision, outcome}] = await sidecar.records({target: '/refunds'});
  assert.equal(decision.decision, 'allow');
  assert.equal(decision.rule, 'big');
  assert.equal(decision.approval, question.approval);
  assert.equal(decision.approver, people[0]);
  assert.equal(outcome.approver, people[0]);
  const lines = sidecar.audit({kind: 'approval'});
  assert.deepEqual(lines.map((line) => line.verdict), ['asked', 'approved', 'released']);
  assert.equal(lines[0].call, decision.call);
  assert.equal(lines[1].approver, people[0]);
  assert.equal(lines[1].why, 'fine');
  await until(
      async () => await sidecar.metric(
                      'reeve_approvals_total', {agent: 'jordan', verdict: 'released'}) === 1,
      'the metric');
  assert.equal(await sidecar.metric('reeve_approvals_pending'), 0);
  assert.equal(await sidecar.metric('reeve_approval_wait_seconds_count'), 1);

  // The same again is another call.
  const again = sidecar.call('POST', '/api/refunds?x=1', refund);
  const [second] = await pending(sidecar);
  assert.notEqual(second.approval, question.approval);
  assert.equal(
      (await approvals(sidecar, 'deny', second.approval, '--as', people[1], '--why', 'too much'))
          .code,
      0);
  const denied = await within(again, 'the answer');
  assert.equal(denied.status, 403);
  assert.match(denied.json.detail, /too much/);
  assert.equal(denied.json.rule, 'big');
  assert.equal(origin.requests.length, 2);
});

scenario('no answer in time is a no', async (s) => {
  const {origin, sidecar} = await api(s, {within: '1s'});
  const answered = await sidecar.call('POST', '/api/refunds', refund);
  assert.equal(answered.status, 403);
  assert.match(answered.json.detail, /nobody said yes in time/);
  assert.equal(origin.requests.length, 0);
  const [record] = await listed(sidecar);
  assert.equal(record.state, 'expired');
  assert.equal((await answer(sidecar, record.approval, 'approve')).status, 409);
});

scenario('respond-async gets 202 and a place to look', async (s) => {
  const {origin, sidecar} = await api(s);
  const first = await sidecar.call('POST', '/api/refunds', async);
  assert.equal(first.status, 202);
  assert.equal(first.json.state, 'pending');
  assert.equal(first.headers['preference-applied'], 'respond-async');
  const place = first.headers.location;
  const id = first.json.approval;
  assert.equal((await sidecar.call('GET', place, {token: jordan.token})).status, 202);
  assert.equal(
      (await sidecar.call('GET', place, {token: robin.token})).status, 404, 'not robin\'s');
  assert.equal((await sidecar.call('GET', place, {})).status, 401);
  assert.equal(
      (await sidecar.call('POST', '/api/refunds', async)).json.approval, id, 'it attaches');
  assert.equal((await answer(sidecar, id, 'approve')).status, 200);
  const ready = await sidecar.call('GET', place, {token: jordan.token});
  assert.equal(ready.status, 200);
  assert.equal(ready.json.state, 'approved');
  assert.equal(origin.requests.length, 0, 'a yes alone runs nothing');
  assert.equal((await sidecar.call('POST', '/api/refunds', async)).status, 200);
  assert.equal(origin.requests.length, 1);
  assert.equal((await sidecar.call('GET', place, {token: jordan.token})).json.state, 'released');
  const replayed = await sidecar.call('POST', '/api/refunds', async);
  assert.equal(replayed.status, 202);
  assert.notEqual(replayed.json.approval, id, 'a replay asks anew');
  assert.equal(origin.requests.length, 1);
  // A no that nobody waited for is told to the same call, once.
  await answer(sidecar, replayed.json.approval, 'deny', people[0], 'no');
  assert.equal((await sidecar.call('POST', '/api/refunds', async)).status, 403);
  assert.equal((await sidecar.call('POST', '/api/refunds', async)).status, 202);
});

scenario(
    'a yes that comes when the caller is gone runs nothing, and stays for a repeat', async (s) => {
      const {origin, sidecar} = await api(s);
      const request = http.request({
        host: '127.0.0.1',
        port: sidecar.port,
        method: 'POST',
        path: '/api/refunds',
        headers: {'Authorization': `Bearer ${jordan.token}`, 'Content-Type': 'application/json'}
      });
      request.on('error', () => {});
      request.end(JSON.stringify(refund.body));
      const [question] = await pending(sidecar);
      request.destroy();
      const [{decision, outcome}] = await sidecar.records({target: '/refunds'});
      assert.equal(decision.reason, 'agent-gone');
      assert.equal(outcome.error, 'agent-gone');
      assert.equal((await answer(sidecar, question.approval, 'approve')).status, 200);
      assert.equal(origin.requests.length, 0);
      const repeat = await sidecar.call('POST', '/api/refunds', refund);
      assert.equal(repeat.status, 200);
      assert.equal(origin.requests.length, 1);
      assert.equal((await listed(sidecar))[0].state, 'released');
    });

scenario('fifty that wait for one yes: one goes out', async (s) => {
  const {origin, sidecar} = await api(s);
  const waiting = Array.from({length: 50}, () => sidecar.call('POST', '/api/refunds', refund));
  const [question] = await pending(sidecar);
  await until(
      async () => (await sidecar.metric('reeve_connections')) >= 50, 'fifty calls on the line');
  await answer(sidecar, question.approval, 'approve');
  // Those that came late, if any, wait for another yes.
  await until(async () => {
    const open = (await listed(sidecar, '')).filter((each) => each.state === 'pending');
    for (const each of open) await answer(sidecar, each.approval, 'deny');
    return (await sidecar.audit({kind: 'outcome'})).length === 50;
  }, 'fifty answers');
  const statuses = (await Promise.all(waiting)).map((each) => each.status).sort();
  assert.deepEqual(statuses, [200, ...Array(49).fill(403)]);
  assert.equal(origin.requests.length, 1);
});

scenario('a restart forgets neither the question nor the yes', async (s) => {
  const {origin, sidecar} = await api(s);
  const first = await sidecar.call('POST', '/api/refunds', async);
  await sidecar.kill();
  const options = {
    folder: sidecar.folder,
    port: sidecar.port,
    adminPort: sidecar.adminPort,
    env: {REEVE_ADMIN_TOKEN: sidecar.adminToken}
  };
  const second = await s.launch(options).ready();
  assert.equal((await pending(second))[0].approval, first.json.approval);
  await answer(second, first.json.approval, 'approve');
  await second.kill();
  const third = await s.launch(options).ready();
  assert.equal((await third.call('POST', '/api/refunds', async)).status, 200);
  await third.kill();
  const fourth = await s.launch(options).ready();
  assert.equal((await fourth.call('POST', '/api/refunds', async)).status, 202);
  assert.equal(origin.requests.length, 1);
});

scenario('a stop answers who waits, and keeps the question', async (s) => {
  const {origin, sidecar} = await api(s);
  const waiting = sidecar.call('POST', '/api/refunds', refund);
  await pending(sidecar);
  const ended = sidecar.stop();
  const answered = await within(waiting, 'the answer');
  assert.equal(answered.status, 503);
  assert.match(answered.json.detail, /pending/);
  assert.deepEqual(await ended, {code: 0, signal: null});
  assert.equal(origin.requests.length, 0);
});

scenario('more than may wait are told so at once', async (s) => {
  const {sidecar} = await api(s, {config: {approvals: {held: 1}}});
  const waiting = sidecar.call('POST', '/api/refunds', refund);
  const [question] = await pending(sidecar);
  const other = await sidecar.call('POST', '/api/refunds', {...refund, body: {amount: 1}});
  assert.equal(other.status, 503);
  assert.ok(other.headers['retry-after']);
  await answer(sidecar, question.approval, 'approve');
  assert.equal((await within(waiting, 'the answer')).status, 200);
});

scenario('report mode holds nothing and says what it would have asked', async (s) => {
  const {sidecar} = await api(s, {top: 'mode: report\n'});
  assert.equal((await sidecar.call('POST', '/api/refunds', refund)).status, 200);
  const [{decision}] = await sidecar.records({target: '/refunds'});
  assert.equal(decision.mode, 'report');
  assert.equal(decision.decision, 'ask');
  assert.equal((await listed(sidecar)).length, 0);
});

scenario('the digest is that of the arguments', async (s) => {
  const {sidecar} = await api(s);
  const first = await sidecar.call('POST', '/api/refunds', {...async, body: '{"a":1}'});
  assert.equal(first.status, 202);
  assert.equal((await listed(sidecar))[0].args_sha256, sha256('{"a":1}'));
  assert.equal((await admin(sidecar, 'GET', `/v1/approvals/${first.json.approval}`)).status, 200);
});
