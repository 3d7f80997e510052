// The record's promises with the real binary: kill -9 under load, disks that fill up, ends that are
// cut off; and `reeve audit`, which checks and asks it.
import {spawn} from 'node:child_process';
import {readdirSync, readFileSync, truncateSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {agentEntry, allowAll, assert, binary, long, ok, policyOf, run, scenario, until} from './lib.mjs';

const audit = (...args) => run(binary, ['audit', ...args]);

// A folder in which a sidecar can be started again and again; `audit` is that part of reeve.yaml.
async function configured(s, audit, agents = [agentEntry('jordan')]) {
  const origin = await s.origin();
  const wiring = await s.configure({
    policy: policyOf(agents, allowAll('api')),
    upstreams: {api: {http: origin.url()}},
    config: {audit: {path: './state/audit.jsonl', ...audit}}
  });
  return {origin, wiring, agents, path: join(wiring.folder, 'state/audit.jsonl')};
}

function linesOf(path) {
  const folder = join(path, '..');
  const name = path.slice(folder.length + 1);
  return readdirSync(folder)
      .filter((file) => file === name || /^\d{12}$/.test(file.slice(name.length + 1)))
      .sort((a, b) => (a === name) - (b === name) || (a < b ? -1 : 1))
      .flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n').slice(0, -1))
      .flatMap((line) => {
        try {
          return [JSON.parse(line)];
        } catch {
          return [];  // torn
        }
      });
}

async function verified(path, code = 0) {
  const answer = await audit('verify', path);
  assert.equal(answer.code, code, answer.out + answer.err);
  return answer.out;
}

for (const sync of ['call', 'batch', 'disk']) {
  scenario(`sync: ${sync}: kill -9 under load, and each time the record is sound`, async (s) => {
    const {origin, wiring, agents: [jordan], path} = await configured(s, {sync, rotate: '64KB'});
    for (let round = 0; round < (long ? 70 : 7); ++round) {
      const sidecar = await s.launch(wiring).ready();
      const before = origin.requests.length;
      let over = false;
      const clients = Array.from({length: 8}, async () => {
        while (!over) {
          const path = `/api/${'x'.repeat(200)}`;
          await sidecar.call('GET', path, {token: jordan.token}).catch(() => null);
        }
      });
      await until(() => origin.requests.length >= before + 60, 'calls under way');
      await sidecar.kill();
      over = true;
      await Promise.all(clients);
      await verified(path);
      if (sync === 'batch') continue;  // whose queue dies with the process
      const decisions = linesOf(path).filter(({kind}) => kind === 'decision').length;
      assert.ok(decisions >= origin.requests.length, 'a call went upstream and is not recorded');
    }
    const sidecar = await s.launch(wiring).ready();
    await sidecar.call('GET', '/api/x', {token: jordan.token});
    await sidecar.stop();
    assert.match(await verified(path), /sound: \d+ lines/);
    assert.ok(readdirSync(join(path, '..')).some((name) => /\.\d{12}$/.test(name)), 'rotated');
    const lines = linesOf(path);
    assert.equal(lines.at(-1).kind, 'stop');
    const sealed = readFileSync(`${path}.checkpoints`, 'utf8').trim().split('\n').at(-1);
    assert.equal(JSON.parse(sealed).seq, lines.at(-1).seq, 'a clean end is sealed');
    const seqs = lines.map(({seq}) => seq);
    assert.deepEqual(seqs, seqs.map((_, i) => i + 1));
  });

  scenario(`sync: ${sync}: a full disk refuses with 503, and there is room again`, async (s) => {
    const {origin, wiring, agents: [jordan]} =
        await configured(s, {sync, path: './small/audit.jsonl'});
    const small = join(wiring.folder, 'small');
    const path = join(small, 'audit.jsonl');
    await run('mkdir', [small]);
    const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', small]);
    if (mounted.code !== 0)
      return console.error(`skipped, a file system cannot be mounted here: ${mounted.err}`);
    s.defer(() => run('umount', ['-l', small]));
    const sidecar = await s.launch(wiring).ready();
    const get = async () =>
        (await sidecar.call('GET', `/api/${'x'.repeat(900)}`, {token: jordan.token})).status;
    await until(async () => await get() === 503, 'a refusal');
    await until(
        async () => (await fetch(`http://127.0.0.1:${wiring.adminPort}/readyz`)).status === 503,
        'readyz that says so');
    assert.equal((await fetch(`http://127.0.0.1:${wiring.adminPort}/livez`)).status, 200);
    const reached = origin.requests.length;
    for (let i = 0; i < 5; ++i) assert.equal(await get(), 503);
    assert.equal(origin.requests.length, reached, 'an unrecorded call reached the upstream');
    await run('mount', ['-o', 'remount,size=4m', small]);
    // Without a restart, and without a call that tries.
    await until(
        async () => (await fetch(`http://127.0.0.1:${wiring.adminPort}/readyz`)).status === 200,
        'readyz when there is room');
    assert.equal(await get(), 200);
    await sidecar.stop();
    await verified(path);
    const allowed =
        linesOf(path).filter(({kind, decision}) => kind === 'decision' && decision === 'allow');
    assert.ok(allowed.length >= origin.requests.length);
  });
}

scenario('an end that was cut off while it was stopped is missed at once, and named', async (s) => {
  const {wiring, agents: [jordan], path} = await configured(s, {});
  const first = await s.launch(wiring).ready();
  const key = /sealed by a new key: ([0-9a-f]{64})/.exec(first.stderr)[1];
  for (let i = 0; i < 5; ++i) await first.call('GET', '/api/x', {token: jordan.token});
  await first.stop();
  const text = readFileSync(path, 'utf8');
  assert.equal((await audit('verify', '--key', key, path)).code, 0);
  assert.equal((await audit('verify', '--key', '0'.repeat(64), path)).code, 1);
  const kept = text.split('\n').slice(0, 4).join('\n') + '\n';
  truncateSync(path, Buffer.byteLength(kept));
  assert.match(await verified(path, 1), /truncated: .*line 4 .*sealed up to line 12/);
  const second = await s.launch(wiring).ready();
  assert.match(second.stderr, /lines 5 to 12 .* MISSING/);
  await second.stop();
  assert.match(await verified(path, 1), /audit\.jsonl:5: lost: .*lines 5 to 12/);
});

scenario('checkpoints on standard output vouch for a record that was put back', async (s) => {
  const {wiring, agents: [jordan], path} = await configured(s, {anchor: 'stdout'});
  const state = join(path, '..');
  const older = join(wiring.folder, 'older');
  const first = await s.launch(wiring).ready();
  await first.call('GET', '/api/x', {token: jordan.token});
  await first.stop();
  await run('cp', ['-a', state, older]);
  const second = await s.launch(wiring).ready();
  await second.call('GET', '/api/x', {token: jordan.token});
  await second.stop();
  const log = join(wiring.folder, 'log');
  writeFileSync(log, second.stderr);
  assert.equal((await audit('verify', '--checkpoint', log, path)).code, 0);
  await run('rm', ['-r', state]);
  await run('mv', [older, state]);
  assert.equal((await audit('verify', path)).code, 0, 'nothing tells, but the anchor');
  const answer = await audit('verify', '--checkpoint', log, path);
  assert.equal(answer.code, 1);
  assert.match(answer.out, /rolled-back/);
});

scenario('a record that cannot be kept starts no sidecar', async (s) => {
  const {wiring, path} = await configured(s, {});
  await run('mkdir', ['-p', join(path, '..')]);
  await run('mkfifo', [path]);
  const sidecar = s.launch(wiring);
  assert.equal((await sidecar.ended).code, 2);
  assert.match(sidecar.stderr, /not a regular file/);
});

scenario('query finds lines by what they say, export joins both lines of a call', async (s) => {
  const jordan = agentEntry('jordan');
  const casey = agentEntry('casey');
  const {wiring, path} = await configured(s, {rotate: '64KB'}, [jordan, casey]);
  const sidecar = await s.launch(wiring).ready();
  const start = new Date().toISOString();
  for (let i = 0; i < 120; ++i)
    await sidecar.call('GET', `/api/items/${i}/${'y'.repeat(200)}`, {token: jordan.token});
  await sidecar.call('POST', '/api/,%22q%22', {token: casey.token});
  await sidecar.call('GET', '/nowhere/x', {token: casey.token});
  await sidecar.records({agent: 'casey', decision: 'deny'});

  const lines = async (...args) => {
    const answer = await audit('query', '--json', ...args, path);
    assert.equal(answer.code, 0, answer.err);
    return answer.out.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  };
  assert.equal((await lines('--agent', 'jordan')).length, 240);
  assert.equal((await lines('--agent', 'jordan', '--agent', 'casey')).length, 244);
  assert.equal((await lines('--agent', 'jord')).length, 0);
  assert.equal((await lines('--decision', 'deny', '--kind', 'decision')).length, 1);
  assert.equal((await lines('--target', '/items/7/*', '--kind', 'outcome')).length, 1);
  assert.equal((await lines('--kind', 'start')).length, 1);
  assert.equal((await lines('--limit', '3')).length, 3);
  assert.equal((await lines('--since', start, '--agent', 'casey')).length, 4);
  assert.equal((await lines('--until', start, '--agent', 'casey')).length, 0);
  assert.equal((await lines('--since', '1h')).length, linesOf(path).length);
  assert.equal((await lines('--text', '/items/33/')).length, 2);
  const [{call}] = await lines('--target', '/items/3/*', '--limit', '1');
  assert.deepEqual((await lines('--call', call)).map(({kind}) => kind), ['decision', 'outcome']);

  const table = (await audit('query', '--agent', 'casey', path)).out;
  assert.match(table, /^TIME .*\n20.*Z {2}decision {2}casey /);
  assert.ok(!/[\x00-\x09\x0b-\x1f\u202e]/.test(table), 'nothing that a terminal acts on');

  const csv = (await audit('export', '--csv', '--agent', 'casey', path)).out.split('\r\n');
  assert.equal(csv.length, 4);
  assert.match(csv[0], /^call,time,agent,/);
  assert.match(csv[1], /"casey".*""q"".*,200,/);
  const rows =
      (await audit('export', '--json', path)).out.trim().split('\n').map((row) => JSON.parse(row));
  assert.equal(rows.length, 122);
  assert.deepEqual(
      rows.filter(({agent}) => agent === 'casey').map(({decision, status}) => [decision, status]),
      [['allow', 200], ['deny', 404]]);

  // Follows across a rotation.
  const follower =
      spawn(binary, ['audit', 'query', '--json', '--follow', '--agent', 'jordan', path]);
  let followed = '';
  follower.stdout.on('data', (data) => {
    followed += data;
  });
  s.defer(() => follower.kill());
  await until(() => followed.split('\n').length === 241, 'what is there');
  for (let i = 0; i < 80; ++i)
    await sidecar.call('GET', `/api/more/${i}/${'y'.repeat(200)}`, {token: jordan.token});
  await until(() => followed.split('\n').length === 401, 'what comes after');
  await sidecar.stop();
  await verified(path);
});

scenario('a wrong word names the nearest, each takes --help', async () => {
  assert.match((await audit('verfy')).err, /did you mean `verify`/);
  assert.match((await audit('query', '--decision', 'alow', 'x')).err, /did you mean `allow`/);
  assert.match((await audit('query', '--agnet', 'x')).err, /did you mean `--agent`/);
  assert.match((await audit('query', '--since', 'noon', 'x')).err, /is no time such as/);
  for (const part of [[], ['verify'], ['query'], ['export']]) {
    const {code, out} = await audit(...part, '--help');
    assert.equal(code, 0);
    assert.match(out, /^reeve audit/);
  }
  assert.equal((await audit('verify', '/nowhere/audit.jsonl')).code, 2);
});
