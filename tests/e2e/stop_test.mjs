// The stop: no byte of what was stopped passes after it was confirmed, it survives a restart, and
// only its name resumes it.
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {admin, askingPolicy, listed, pending} from './approvals.mjs';
import {agentEntry, allowAll, assert, newToken, policyOf, run, scenario, sha256, until, within} from './lib.mjs';
import {mcpOrigin} from './mcp_origin.mjs';
import {agents, agentsAs, allEnd, allFlow, now, stream, talkingOrigin, talkingServer, tunnel, upload} from './stops.mjs';
import {loopback} from './tunnel.mjs';

const jordan = agentEntry('jordan');
const robin = agentEntry('robin');
const boss = agentEntry('boss', {roles: 'chief'});
const status = async (sidecar, agent, path = '/api/plain') =>
    (await sidecar.call('GET', path, {token: agent.token})).status;

// One role that may do all and asks about refunds; another that inherits it.
const policy = (agents = [jordan, robin, boss]) =>
    askingPolicy(agents, {selector: 'http: "POST /refunds"'})
        .replace(
            '    allow:\n', '    allow:\n      - {connect: "*:*"}\n      - {upstream: tools}\n')
        .replace('approvers:\n', '  chief:\n    inherits: [worker]\napprovers:\n');

async function start(s, {config = {}} = {}) {
  const {origin, ears} = await talkingOrigin(s);
  const server = await talkingServer(s);
  const sidecar = await s.sidecar({
    policy: policy(),
    upstreams: {api: {http: origin.url()}, tools: {mcp: origin.url('/mcp')}},
    config: {...loopback, ...config}
  });
  return {origin, sidecar, server, uploads: ears};
}

scenario('a hundred streams, tunnels and uploads: nothing passes after the stop', async (s) => {
  const {origin, sidecar, server, uploads} = await start(s, {config: {threads: 2}});
  const events = {Accept: 'text/event-stream'};
  const open = async (agent, count) => {
    const mine = {ears: [], uploads: []};
    for (let i = 0; i < count * 2; ++i) mine.ears.push(stream(s, sidecar, '/api/x', agent.token));
    for (let i = 0; i < count; ++i) {
      mine.ears.push(stream(s, sidecar, '/tools', agent.token, events));
      mine.ears.push(await tunnel(s, sidecar, server.port, agent.token));
      mine.uploads.push(upload(s, sidecar, '/api/up', agent.token));
    }
    return mine;
  };
  const cut = await open(jordan, 20);
  await allFlow(cut.ears, 80);
  await allFlow(uploads, 20);
  await allFlow(server.ears, 20);
  const beyond = [...uploads, ...server.ears];  // what the other side of jordan's hears
  const stays = await open(robin, 1);
  await allFlow(stays.ears, 4);
  const held = [];
  for (let i = 0; i < 5; ++i) {
    held.push(sidecar.call('POST', `/api/refunds?n=${i}`, {token: jordan.token, body: {n: i}}));
  }
  await pending(sidecar, 5);
  const reached = origin.requests.length;

  const rehearsed = await agents(sidecar, 'stop', 'jordan', '--dry-run', '--json');
  assert.equal(rehearsed.code, 0, rehearsed.err);
  const would = JSON.parse(rehearsed.out);
  assert.equal(would.state, 'would be stopped');
  assert.deepEqual(
      [would.cut.calls, would.cut.streams, would.cut.tunnels, would.cut.held], [20, 60, 20, 5]);
  assert.equal(would.cut.named.length, 105);
  assert.ok(would.cut.named.every((each) => each.agent === 'jordan' && each.call));
  assert.ok(
      [...cut.ears, ...cut.uploads].every((ear) => !ear.ended), 'a rehearsal changes nothing');

  const stopped =
      await agents(sidecar, 'stop', 'jordan', '--as', 'lee@acme.example', '--why', 'it went wrong');
  const confirmed = now();
  assert.equal(stopped.code, 0, stopped.err);
  assert.match(
      stopped.out, /agent jordan stopped\ncut: 20 calls, 60 streams, 20 tunnels; refused: 5/);
  await allEnd([...cut.ears, ...cut.uploads, ...beyond]);
  for (const ear of [...cut.ears, ...beyond])
    assert.ok(
        ear.last <= confirmed, `said ${ear.last - confirmed} ms after the stop was confirmed`);
  for (const answer of held) {
    const {status, json} = await within(answer, 'the refusal of a held call');
    assert.equal(status, 403);
    assert.match(json.detail, /stopped/);
  }
  assert.equal(origin.requests.length, reached, 'a held call went out');
  assert.ok([...stays.ears, ...stays.uploads].every((ear) => !ear.ended), 'another agent goes on');

  const refused = await sidecar.call('GET', '/api/plain', {token: jordan.token});
  assert.equal(refused.status, 403);
  assert.equal(refused.json.detail, 'Denied: the agent is stopped');
  assert.equal(await status(sidecar, robin), 200);
  assert.ok((await listed(sidecar)).every((each) => each.state === 'denied'));
  assert.equal(await sidecar.metric('reeve_agent_state', {agent: 'jordan', state: 'stopped'}), 1);
  assert.equal(await sidecar.metric('reeve_agent_state', {agent: 'robin', state: 'active'}), 1);
  const [line] = sidecar.audit({kind: 'agent'});
  assert.equal(line.agent, 'jordan');
  assert.equal(line.state, 'stopped');
  assert.equal(line.by, 'lee@acme.example');
  assert.equal(line.why, 'it went wrong');
  assert.deepEqual(line.cut, {calls: 20, streams: 60, tunnels: 20, held: 5});
  await until(
      () => sidecar.audit({kind: 'outcome', agent: 'jordan', error: 'stopped'}).length === 100,
      'the outcomes of what was cut');
  assert.ok(sidecar.audit({kind: 'decision', agent: 'jordan', reason: 'stopped'}).length >= 6);
});

scenario('a stop survives a crash, and its name alone resumes it', async (s) => {
  const {sidecar} = await start(s);
  assert.equal((await agents(sidecar, 'stop', 'jordan')).code, 0);
  await sidecar.kill();
  const {folder, port, adminPort, adminToken} = sidecar;
  const again =
      await s.launch({folder, port, adminPort, env: {REEVE_ADMIN_TOKEN: adminToken}}).ready();
  assert.equal(await status(again, jordan), 403);
  assert.equal((await agents(again, 'resume', 'robin')).code, 1);
  const resumed = await agents(again, 'resume', 'jordan', '--why', 'understood');
  assert.equal(resumed.code, 0, resumed.err);
  assert.equal(await status(again, jordan), 200);
  assert.deepEqual(
      again.audit({kind: 'agent'}).map((line) => [line.state, line.by, line.why]),
      [['stopped', 'admin token', undefined], ['resumed', 'admin token', 'understood']]);
});

scenario('roles, teams, upstreams and all: what they stop, and what resumes them', async (s) => {
  const {sidecar} = await start(s);
  const seen = async () =>
      [await status(sidecar, jordan), await status(sidecar, robin), await status(sidecar, boss)];
  const [yes, no] = [200, 403];
  const ok = async (...words) => {
    const done = await agents(sidecar, ...words);
    assert.equal(done.code, 0, done.err);
    return done.out;
  };
  const fails = async (pattern, ...words) => {
    const done = await agents(sidecar, ...words);
    assert.notEqual(done.code, 0);
    assert.match(done.err, pattern);
  };
  await ok('stop', '--role', 'chief');
  assert.deepEqual(await seen(), [yes, yes, no]);
  await ok('stop', '--role', 'worker');
  assert.deepEqual(await seen(), [no, no, no], 'who inherits the role is stopped as well');
  await fails(/stopped with its role: resume role `worker`/, 'resume', 'jordan');
  await ok('resume', '--role', 'worker');
  await ok('resume', '--role', 'chief');
  assert.deepEqual(await seen(), [yes, yes, yes]);

  await ok('stop', '--team', 'testers');
  assert.deepEqual(await seen(), [no, no, no]);
  await ok('resume', '--team', 'testers');

  await ok('stop', '--upstream', 'api');
  assert.deepEqual(await seen(), [no, no, no]);
  const tool = {jsonrpc: '2.0', id: 1, method: 'tools/call', params: {name: 'x', arguments: {}}};
  assert.notEqual(
      (await sidecar.rpc('/tools', tool, {token: jordan.token})).json?.result?.isError, true);
  await ok('stop', '--upstream', 'tools');
  const {json} = await sidecar.rpc('/tools', tool, {token: jordan.token});
  assert.equal(json.result.isError, true);
  assert.match(json.result.content[0].text, /^Denied: this upstream is stopped/);
  await ok('resume', '--upstream', 'tools');
  await ok('resume', '--upstream', 'api');

  await ok('stop', '--all', '--why', 'a drill');
  assert.deepEqual(await seen(), [no, no, no]);
  await fails(/each agent is resumed by its name/, 'resume', '--all');
  assert.equal((await admin(sidecar, 'POST', '/v1/stops/all/resume')).status, 409);
  await ok('resume', 'jordan');
  assert.deepEqual(await seen(), [yes, no, no]);
  assert.match(await ok('stops'), /all {2}stopped by admin token at \S+ a drill, but for jordan/);
  await ok('resume', 'robin');
  await ok('resume', 'boss');
  assert.deepEqual(await seen(), [yes, yes, yes]);
  assert.match(await ok('stops'), /nothing is stopped/);

  await fails(/no agent is `jordn`; did you mean `jordan`/, 'stop', 'jordn');
  await fails(/no role of an agent is `workr`; did you mean `worker`/, 'stop', '--role', 'workr');
  await fails(/name what to stop/, 'stop');
  await fails(/name what to stop/, 'stop', 'jordan', '--all');
  await fails(/--dry-run goes with stop/, 'resume', 'jordan', '--dry-run');
  await fails(/did you mean `resume`/, 'resum', 'jordan');
});

scenario('operators stop; approvers and viewers do not; a body says what it may', async (s) => {
  const tokens = {op: newToken(), ap: newToken(), vi: newToken()};
  const {origin} = await talkingOrigin(s);
  const wiring = await s.configure(
      {policy: policy(), upstreams: {api: {http: origin.url()}, tools: {mcp: origin.url('/mcp')}}});
  const file = join(wiring.folder, 'reeve.yaml');
  const config = JSON.parse(readFileSync(file, 'utf8'));
  config.admin.people = [
    {name: 'op@acme.example', role: 'operator', token_sha256: sha256(tokens.op)},
    {name: 'ap@acme.example', role: 'approver', token_sha256: sha256(tokens.ap)},
    {name: 'vi@acme.example', role: 'viewer', token_sha256: sha256(tokens.vi)},
  ];
  writeFileSync(file, JSON.stringify(config));
  const sidecar = await s.launch(wiring).ready();
  const post = (token, path = '/v1/agents/jordan/stop', body) =>
      admin(sidecar, 'POST', path, {token, body});
  assert.equal((await post(tokens.vi)).status, 403);
  assert.equal((await post(tokens.ap)).status, 403);
  assert.equal((await post(newToken())).status, 401);
  assert.equal((await post(tokens.op, undefined, {as: 'vi@acme.example'})).status, 403);
  assert.equal((await post(undefined, undefined, {as: 'vi@acme.example'})).status, 403);
  for (const body of [{dry_run: 1}, {other: 'x'}, {why: 7}, {why: 'x'.repeat(1100)}, []])
    assert.equal(
        (await post(tokens.op, undefined, body)).status, 400, JSON.stringify(body).slice(0, 40));
  assert.equal(await status(sidecar, jordan), 200);
  assert.equal((await post(tokens.op, '/v1/agents/nobody/stop')).status, 404);
  assert.equal((await post(tokens.op, '/v1/agents/jordan/fire')).status, 404);
  assert.equal((await post(tokens.op, '/v1/agents/jord%zz/stop')).status, 400);
  assert.equal((await post(tokens.op, '/v1/stops/planet/x/stop')).status, 404);
  assert.equal(
      (await admin(sidecar, 'DELETE', '/v1/agents/jordan/stop', {token: tokens.op})).status, 405);
  assert.equal((await post(tokens.op, '/v1/agents/jord%61n/stop', {why: 'x'})).status, 200);
  assert.equal(await status(sidecar, jordan), 403);
  assert.equal((await post(tokens.ap, '/v1/agents/jordan/resume')).status, 403);
  // Without a name the admin token is nobody's, and that is enough.
  assert.equal((await post(undefined, '/v1/agents/robin/stop')).status, 200);
  assert.deepEqual(
      sidecar.audit({kind: 'agent'}).map((line) => line.by), ['op@acme.example', 'admin token']);
  const seen = await admin(sidecar, 'GET', '/v1/stops', {token: tokens.vi});
  assert.deepEqual(JSON.parse(seen.body).stops.map((each) => each.name), ['jordan', 'robin']);
  const own = await agentsAs(sidecar, {REEVE_TOKEN: tokens.op}, 'resume', 'jordan');
  assert.equal(own.code, 0, own.err);
});

scenario('with the disk full it is in force all the same, and says so', async (s) => {
  const {origin} = await talkingOrigin(s);
  const wiring = await s.configure({
    policy: policy(),
    upstreams: {api: {http: origin.url()}, tools: {mcp: origin.url('/mcp')}},
    config: {state: './small', audit: {path: './audit.jsonl'}}
  });
  const small = join(wiring.folder, 'small');
  await run('mkdir', [small]);
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
  if (mounted.code !== 0)
    return console.error(`skipped, a file system cannot be mounted here: ${mounted.err}`);
  s.defer(() => run('umount', ['-l', small]));
  const sidecar = await s.launch(wiring).ready();
  const flows = stream(s, sidecar, '/api/x', jordan.token);
  await allFlow([flows], 1);
  await run('dd', ['if=/dev/zero', `of=${join(small, 'fill')}`, 'bs=4096']);
  const stopped = await agents(sidecar, 'stop', 'jordan');
  assert.equal(stopped.code, 1);
  assert.match(stopped.err, /stopped, and in force; but a restart would forget it: .*free space/);
  await allEnd([flows]);
  assert.equal(await status(sidecar, jordan), 403);
  assert.equal(await status(sidecar, robin), 200);
  await run('rm', [join(small, 'fill')]);
  const again = await agents(sidecar, 'stop', 'jordan');
  assert.equal(again.code, 0, again.err);
});

scenario('it works while the workers are busy, and cuts who does not read', async (s) => {
  const origin = await s.origin((request, response) => {
    if (request.url === '/flood') {
      const fill = () => {
        while (!response.destroyed && response.write('x'.repeat(65536))) {
        }
      };
      response.on('drain', fill);
      return fill();
    }
    response.end('ok');
  });
  const sidecar = await s.sidecar(
      {policy: policyOf([jordan, robin], allowAll('api')), upstreams: {api: {http: origin.url()}}});
  const deaf = await sidecar.call('GET', '/api/flood', {token: jordan.token, stream: true});
  deaf.response.pause();
  const closed = new Promise((done) => deaf.response.on('close', done).on('error', () => {}));
  let going = true;
  const callers = Array.from({length: 32}, async () => {
    while (going) await sidecar.call('GET', '/api/x', {token: robin.token});
  });
  const stopped = await agents(sidecar, 'stop', 'jordan');
  assert.equal(stopped.code, 0, stopped.err);
  assert.match(stopped.out, /1 streams/);
  deaf.response.resume();
  await within(closed, 'the end of the flood');
  going = false;
  await Promise.all(callers);
});

scenario('MCP clients that wait for people hear that they are stopped', async (s) => {
  const origin = await mcpOrigin(s);
  const sidecar = await s.sidecar({
    policy: askingPolicy([jordan], {upstream: 'db', selector: 'tools: drop'}),
    upstreams: {db: {mcp: origin.url}},
    config: {approvals: {progress: '200ms'}},
  });
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {name: 'drop', arguments: {table: 'old'}}
  };
  const waiting = sidecar.rpc('/db', message, {token: jordan.token});
  await pending(sidecar);
  assert.equal((await agents(sidecar, 'stop', 'jordan')).code, 0);
  const {json} = await within(waiting, 'the refusal');
  assert.equal(json.result.isError, true);
  assert.match(json.result.content[0].text, /^Denied: .*stopped/);
  assert.equal(origin.ran.length, 0);
});
