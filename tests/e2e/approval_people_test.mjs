// Who may say yes: members of the group, each once, never the owner where the policy says so; by a
// token of their own where reeve.yaml names people.
import {admin, agentEntry, answer, approvals, askingPolicy, command, listed, pending, people} from './approvals.mjs';
import {assert, newToken, scenario, sha256, within} from './lib.mjs';

const jordan = agentEntry('jordan');
const selector = 'http: "POST /refunds"';
const refund = {
  token: jordan.token,
  body: {amount: 250}
};

async function api(s, options = {}) {
  const origin = await s.origin();
  const sidecar = await s.sidecar({
    policy: askingPolicy([jordan], {selector, ...options}),
    upstreams: {api: {http: origin.url()}},
    config: options.config,
  });
  return {origin, sidecar};
}

scenario('two must say yes, and the owner does not count', async (s) => {
  const {origin, sidecar} = await api(s, {group: ', need: 2, not_owner: true'});
  const waiting = sidecar.call('POST', '/api/refunds', refund);
  const [{approval}] = await pending(sidecar);
  const [lee, sam, dana] = people;
  assert.equal((await answer(sidecar, approval, 'approve', 'eve@acme.example')).status, 403);
  assert.equal((await answer(sidecar, approval, 'approve', dana)).status, 403, 'the owner');
  assert.equal((await answer(sidecar, approval, 'approve', dana.toUpperCase())).status, 403);
  assert.equal((await answer(sidecar, approval, 'approve', lee)).status, 200);
  assert.equal((await answer(sidecar, approval, 'approve', lee)).status, 409, 'once each');
  assert.equal((await pending(sidecar))[0].votes.length, 1);
  assert.equal(origin.requests.length, 0);
  assert.equal((await answer(sidecar, approval, 'approve', sam)).status, 200);
  assert.equal((await within(waiting, 'the answer')).status, 200);
  const [{decision}] = await sidecar.records({target: '/refunds'});
  assert.equal(decision.approver, `${lee},${sam}`);
  assert.deepEqual(
      sidecar.audit({kind: 'approval'}).map((line) => [line.verdict, line.approver]),
      [['asked', undefined], ['yes', lee], ['approved', sam], ['released', undefined]]);
});

scenario('people answer with tokens of their own', async (s) => {
  const tokens = {lee: newToken(), vic: newToken(), eve: newToken()};
  const {origin, sidecar} = await api(s);
  await sidecar.stop();
  const {readFileSync, writeFileSync} = await import('node:fs');
  const file = `${sidecar.folder}/reeve.yaml`;
  const wiring = JSON.parse(readFileSync(file, 'utf8'));
  wiring.admin.people = [
    {name: people[0], role: 'approver', token_sha256: sha256(tokens.lee)},
    {name: people[1], role: 'viewer', token_sha256: sha256(tokens.vic)},
    {name: 'eve@acme.example', role: 'operator', token_sha256: sha256(tokens.eve)},
  ];
  writeFileSync(file, JSON.stringify(wiring));
  const second = await s
                     .launch({
                       folder: sidecar.folder,
                       port: sidecar.port,
                       adminPort: sidecar.adminPort,
                       env: {REEVE_ADMIN_TOKEN: sidecar.adminToken}
                     })
                     .ready();
  const waiting = second.call('POST', '/api/refunds', refund);
  const [{approval}] = await pending(second);
  const path = `/v1/approvals/${approval}/approve`;
  const as = (token, body) => admin(second, 'POST', path, {token, body});
  assert.equal(
      (await answer(second, approval, 'approve')).status, 403, 'the admin token is nobody');
  assert.equal((await as (tokens.vic)).status, 403, 'a viewer');
  assert.equal((await as (tokens.eve)).status, 403, 'not of the group');
  assert.equal((await as (tokens.eve, {as: people[0]})).status, 403, 'nobody else');
  assert.equal((await as (newToken())).status, 401);
  assert.equal((await admin(second, 'GET', '/v1/approvals', {token: tokens.vic})).status, 200);
  assert.equal(origin.requests.length, 0);
  const done = await command(second, {REEVE_TOKEN: tokens.lee}, 'approve', '--newest');
  assert.equal(done.code, 0, done.err);
  assert.equal((await within(waiting, 'the answer')).status, 200);
});

scenario('what is no answer changes nothing', async (s) => {
  const {origin, sidecar} = await api(s);
  const waiting = sidecar.call('POST', '/api/refunds', refund);
  const [{approval}] = await pending(sidecar);
  const path = `/v1/approvals/${approval}/approve`;
  const wrong = [
    ['POST', path, {}, 403],  // as whom?
    ['POST', path, {body: {as: 7}}, 400],
    ['POST', path, {body: {as: people[0], yes: 'x'}}, 400],
    ['POST', path, {body: [1]}, 400],
    ['POST', path, {body: {as: people[0], why: 'x'.repeat(20_000)}}, 413],
    ['POST', path, {body: {as: people[0], why: 'x'.repeat(2_000)}}, 400],
    ['GET', path, {}, 405],
    ['POST', '/v1/approvals', {}, 405],
    ['POST', `/v1/approvals/${approval}/approves`, {body: {as: people[0]}}, 404],
    ['POST', '/v1/approvals/nothing/approve', {body: {as: people[0]}}, 404],
    ['GET', '/v1/approvalsx', {}, 404],
    ['GET', '/v1/approvals/nothing', {}, 404],
  ];
  for (const [method, at, options, status] of wrong)
    assert.equal((await admin(sidecar, method, at, options)).status, status, `${method} ${at}`);
  assert.equal(origin.requests.length, 0);
  await answer(sidecar, approval, 'approve');
  assert.equal((await within(waiting, 'the answer')).status, 200);
});

scenario('the command', async (s) => {
  const {sidecar} = await api(s);
  assert.match((await approvals(sidecar)).out, /nothing waits/);
  assert.equal((await approvals(sidecar, 'approve', '--newest', '--as', people[0])).code, 1);
  const waiting = sidecar.call('POST', '/api/refunds', refund);
  const [{approval}] = await pending(sidecar);
  const table = await approvals(sidecar, 'list');
  assert.equal(table.code, 0);
  assert.match(table.out, new RegExp(`${approval} .*pending.*jordan`));
  assert.match((await approvals(sidecar, 'show', '--newest')).out, /purpose +Testing/);
  assert.equal(
      JSON.parse((await approvals(sidecar, 'list', '--json')).out).approvals[0].approval, approval);
  assert.equal((await approvals(sidecar, 'aprove', approval)).code, 2);
  assert.match((await approvals(sidecar, 'aprove', approval)).err, /`approve`/);
  assert.equal((await approvals(sidecar, 'approve')).code, 2);
  const unsaid = await approvals(sidecar, 'approve', '--newest');
  assert.equal(unsaid.code, 1);
  assert.match(unsaid.err, /as/);
  assert.equal((await approvals(sidecar, 'deny', approval, '--as', people[1])).code, 0);
  assert.equal((await within(waiting, 'the answer')).status, 403);
  assert.equal((await listed(sidecar))[0].state, 'denied');
  assert.equal((await approvals(sidecar, '--help')).code, 0);
});
