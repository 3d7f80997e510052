// `reeve suggest` and `reeve diff` over the record of a real sidecar: what was never used is named,
// and the suggested policy, put in force, lets the same calls through and no others.
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {agentEntry, assert, binary, policyOf, run, scenario, until} from './lib.mjs';

scenario('the suggested policy allows what was seen, and no more', async (s) => {
  const origin = await s.origin();
  const [jordan, kim] = [agentEntry('jordan'), agentEntry('kim')];
  const rules = `    allow:
      - {id: read, upstream: api, http: ["GET /invoices/**", "GET /orders/*"]}
      - {id: write, upstream: api, http: "POST /**"}
      - {id: unused, upstream: api, http: "DELETE /**"}
`;
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan, kim], rules), upstreams: {api: {http: origin.url()}}});
  const calls = [
    ['GET', '/api/invoices/2026/17'], ['GET', '/api/invoices/2026/18'], ['POST', '/api/notes'],
    ['POST', '/api/it\'s "odd"?x=1'.replaceAll(' ', '%20').replaceAll('"', '%22')]
  ];
  for (const [method, target] of calls)
    assert.equal((await sidecar.call(method, target, {token: jordan.token})).status, 200);
  assert.equal((await sidecar.call('PUT', '/api/notes', {token: jordan.token})).status, 403);
  await sidecar.records({}, calls.length + 1);

  const policy = join(sidecar.folder, 'policy.yaml');
  const of = (...args) =>
      run(binary, ['suggest', '-p', policy, '--audit', sidecar.auditPath, ...args]);
  const text = await of ();
  assert.equal(text.code, 0, text.err);
  assert.match(text.out, /allow unused .*: the whole rule/);
  assert.match(text.out, /allow read .*: GET \/orders\/\* \(the rest 2 times/);
  assert.match(text.out, /agent kim made no call/);
  const json = JSON.parse((await of ('--json')).out);
  assert.equal(json.calls, calls.length);
  assert.deepEqual(json.idle_agents, ['kim']);

  const suggested = await of ('--policy');
  const file = join(sidecar.folder, 'suggested.yaml');
  writeFileSync(file, suggested.out);
  const diff = await run(binary, ['diff', policy, file, '--audit', sidecar.auditPath, '--json']);
  assert.equal(diff.code, 1, diff.err);
  assert.deepEqual(JSON.parse(diff.out).calls, [], 'no recorded call would go otherwise');

  sidecar.writePolicy(suggested.out);
  sidecar.signal('SIGHUP');
  const status = async (method, target) =>
      (await sidecar.call(method, target, {token: jordan.token})).status;
  await until(async () => await status('DELETE', '/api/notes') === 403, 'the new policy');
  for (const [method, target] of calls) assert.equal(await status(method, target), 200, target);
  assert.equal(await status('GET', '/api/invoices/2026/99'), 200, 'another id of the same kind');
  for (const [method, target] of [
           ['GET', '/api/orders/1'], ['POST', '/api/other'], ['POST', '/api']])
    assert.equal(await status(method, target), 403, target);
});
