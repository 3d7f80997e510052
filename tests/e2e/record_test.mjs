// The record: two lines for each call, the first before anything is forwarded, in a chain that a
// few lines can verify.
import {createHash} from 'node:crypto';
import {appendFileSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

import {agentEntry, allowAll, assert, long, newToken, ok, policyOf, run, scenario, until} from './lib.mjs';

// Independent of reeve's own verifier, from the description in interfaces alone.
function verify(text) {
  let previous = '0'.repeat(64);
  const lines = text.split('\n').slice(0, -1);
  lines.forEach((line, i) => {
    const at = line.lastIndexOf(',"hash":"');
    assert.ok(
        at > 0 && /^,"hash":"[0-9a-f]{64}"}$/.test(line.slice(at)),
        `line ${i + 1} ends with its hash`);
    const {v, seq, time, kind, prev, hash} = JSON.parse(line);
    assert.equal(
        createHash('sha256').update(`${line.slice(0, at)}}`).digest('hex'), hash,
        `hash of line ${i + 1}`);
    assert.equal(prev, previous, `prev of line ${i + 1}`);
    assert.equal(v, 1);
    assert.ok(i === 0 || seq === JSON.parse(lines[i - 1]).seq + 1, `seq of line ${i + 1}`);
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.ok(kind);
    previous = hash;
  });
  return lines.length;
}

scenario(
    'each call has its decision line before anything is forwarded, and its outcome line after',
    async (s) => {
      let sidecar;
      const linesAtUpstream = [];
      const origin = await s.origin((request, response) => {
        linesAtUpstream.push(sidecar.audit({target: '/x'}).map((line) => line.kind));
        ok(request, response);
      });
      const jordan = agentEntry('jordan');
      sidecar = await s.sidecar({
        policy: policyOf(
            [jordan], '    allow:\n      - {id: only-x, upstream: api, http: "POST /x"}\n'),
        upstreams: {api: {http: origin.url()}}
      });
      await sidecar.call('POST', '/api/x', {
        token: jordan.token,
        body: 'hello',
        headers: {traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'}
      });
      await sidecar.call('POST', '/api/y', {token: jordan.token, body: 'hello'});
      await sidecar.call('POST', '/api/../y', {token: jordan.token, body: 'hello'});
      assert.deepEqual(linesAtUpstream, [['decision']]);

      const [allowed] = await sidecar.records({target: '/x'});
      const {decision, outcome} = allowed;
      assert.equal(decision.call, outcome.call);
      assert.ok(decision.seq < outcome.seq);
      const facts =
          ({trace, agent, owner, team, roles, listener, upstream, protocol, action, target}) => ({
            trace,
            agent,
            owner,
            team,
            roles: [roles].flat().join(),
            listener,
            upstream,
            protocol,
            action,
            target
          });
      assert.deepEqual(facts(decision), {
        trace: '4bf92f3577b34da6a3ce929d0e0e4736',
        agent: 'jordan',
        owner: 'dana@acme.example',
        team: 'testers',
        roles: 'worker',
        listener: 'local',
        upstream: 'api',
        protocol: 'http',
        action: 'POST',
        target: '/x'
      });
      assert.deepEqual(
          [decision.decision, decision.reason, decision.rule], ['allow', 'rule', 'only-x']);
      assert.match(decision.at, /policy\.yaml:\d+$/);
      assert.match(decision.policy, /^[0-9a-f]{64}$/);
      assert.equal(outcome.status, 200);
      assert.ok(
          outcome.bytes_in >= 5 && outcome.bytes_out > 0 && outcome.ms >= outcome.upstream_ms);

      const [denied] = await sidecar.records({target: '/y', decision: 'deny'});
      assert.deepEqual([denied.decision.reason, denied.outcome.status], ['default', 403]);
      const [malformed] = await sidecar.records({decision: 'malformed'});
      assert.equal(malformed.outcome.status, 400);
      assert.equal(
          await sidecar.metric('reeve_calls_total', {agent: 'jordan', decision: 'allow'}), 1);
      assert.equal(
          await sidecar.metric('reeve_calls_total', {agent: 'jordan', decision: 'deny'}), 1);
      verify(readFileSync(sidecar.auditPath, 'utf8'));
    });

scenario(
    'the chain holds under concurrency, across kill -9 and restarts, and says when a line was torn',
    async (s) => {
      const origin = await s.origin();
      const jordan = agentEntry('jordan');
      const wiring = await s.configure(
          {policy: policyOf([jordan], allowAll('api')), upstreams: {api: {http: origin.url()}}});
      for (let round = 0; round < (long ? 30 : 4); ++round) {
        const sidecar = await s.launch(wiring).ready();
        const calls = Array.from(
            {length: 40},
            () => sidecar.call('GET', '/api/x', {token: jordan.token}).catch(() => null));
        await until(() => origin.requests.length >= 20 * (round + 1), 'calls under way');
        if (round % 2 === 0) await sidecar.kill();
        await Promise.all(calls);
        if (!sidecar.exit) assert.equal((await sidecar.stop()).code, 0);
        const text = readFileSync(sidecar.auditPath, 'utf8');
        verify(text.slice(0, text.lastIndexOf('\n') + 1));
      }
      const path = join(wiring.folder, 'state/audit.jsonl');
      const sound = readFileSync(path, 'utf8');
      assert.ok(sound.endsWith('\n'));
      // Every call that the upstream saw was recorded before.
      const decisions =
          sound.split('\n').filter((line) => line.includes('"kind":"decision"')).length;
      assert.ok(
          decisions >= origin.requests.length,
          `${decisions} decisions, ${origin.requests.length} calls upstream`);

      const torn = '{"v":1,"seq":99999,"ti';
      appendFileSync(path, torn);
      const sidecar = await s.launch(wiring).ready();
      await sidecar.call('GET', '/api/x', {token: jordan.token});
      await sidecar.stop();
      const after = readFileSync(path, 'utf8');
      assert.ok(after.startsWith(`${sound}${torn}\n`), 'the torn line is kept and closed');
      assert.match(
          after.slice(sound.length + torn.length + 1).split('\n')[0], /torn/,
          'and the next line says so');
      verify(sound + after.slice(sound.length + torn.length + 1));
    });

scenario(
    'a changed, a missing and a repeated line are noticed by the verifier above', async (s) => {
      const origin = await s.origin();
      const jordan = agentEntry('jordan');
      const sidecar = await s.sidecar(
          {policy: policyOf([jordan], allowAll('api')), upstreams: {api: {http: origin.url()}}});
      for (let i = 0; i < 3; ++i) await sidecar.call('GET', `/api/${i}`, {token: jordan.token});
      await sidecar.stop();
      const lines = readFileSync(sidecar.auditPath, 'utf8').split('\n').slice(0, -1);
      const text = (all) => `${all.join('\n')}\n`;
      assert.equal(verify(text(lines)), lines.length);
      assert.throws(() => verify(text(lines.map((line) => line.replace('"allow"', '"deny"')))));
      assert.throws(() => verify(text(lines.toSpliced(2, 1))));
      assert.throws(() => verify(text(lines.toSpliced(2, 0, lines[2]))));
    });

scenario('no record, no call', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const wiring = await s.configure({
    policy: policyOf([jordan], allowAll('api')),
    upstreams: {api: {http: origin.url()}},
    config: {state: './state', audit: {path: './small/audit.jsonl'}}
  });
  const small = join(wiring.folder, 'small');
  await run('mkdir', [small]);
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', small]);
  if (mounted.code !== 0)
    return console.error(`skipped, a file system cannot be mounted here: ${mounted.err}`);
  s.defer(() => run('umount', ['-l', small]));
  const sidecar = await s.launch(wiring).ready();
  const statuses = [];
  let allowed = 0;
  await until(async () => {
    const {status} = await sidecar.call('GET', `/api/${'x'.repeat(900)}`, {token: jordan.token});
    statuses.push(status);
    if (status === 200) allowed += 1;
    return status === 503;
  }, 'a refusal with 503 once the disk is full');
  assert.ok(allowed > 3);
  const reached = origin.requests.length;
  for (let i = 0; i < 5; ++i)
    assert.equal(
        (await sidecar.call('GET', `/api/${'x'.repeat(900)}`, {token: jordan.token})).status, 503);
  assert.equal(origin.requests.length, reached, 'an unrecorded call reached the upstream');
  assert.ok((await sidecar.metric('reeve_audit_errors_total')) > 0);
  const text = readFileSync(join(small, 'audit.jsonl'), 'utf8');
  verify(text.slice(0, text.lastIndexOf('\n') + 1));
});

scenario('what an agent writes cannot forge a line or a label', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan], allowAll('api')), upstreams: {api: {http: origin.url()}}});
  const forged = encodeURIComponent('x","decision":"deny","hash":"');
  await sidecar.call('GET', `/api/${forged}`, {token: jordan.token});
  await sidecar.call('GET', `/api/${'y'.repeat(6000)}`, {token: jordan.token});
  // Node's server refuses these with a reset, which may outrun its answer; the record is the same.
  for (let i = 0; i < 30; ++i)
    await sidecar.call(`M${i}`, `/api/${i}`, {token: jordan.token}).catch(() => {});
  for (let i = 0; i < 30; ++i)
    await sidecar.call('GET', `/u${i}/x`, {token: i % 2 ? newToken() : jordan.token});
  const [record] = await sidecar.records({target: '/x","decision":"deny","hash":"'});
  assert.equal(record.decision.decision, 'allow');
  const text = readFileSync(sidecar.auditPath, 'utf8');
  verify(text);
  assert.ok(text.split('\n').every((line) => line.length < 8000), 'lines are bounded');
  const series = (await sidecar.metrics()).filter(({name}) => name === 'reeve_calls_total');
  assert.ok(series.length < 12, `labels grow with what callers write: ${series.length}`);
});
