// Where lines and checkpoints go besides the record: real receivers that are slow, dead, refuse or
// break off; what they missed comes later; those that are required hold calls up, others never.
import {spawn} from 'node:child_process';
import {createHmac} from 'node:crypto';
import dgram from 'node:dgram';
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import {join} from 'node:path';

import {authority, server as serverCertificate} from './certificates.mjs';
import {agentEntry, allowAll, assert, binary, ok, policyOf, run, scenario, until} from './lib.mjs';

const secret = 'a secret of the receiver';

// A webhook's receiver, which keeps what it takes, and does as `behaves` says: take, slow, refuse,
// reset, hang.
class Webhook {
  behaves = 'take';
  posts = [];
  lines = [];
  constructor(tls) {
    const serve = async (request, response) => {
      const parts = [];
      try {
        for await (const part of request) parts.push(part);
      } catch {
        return;
      }
      if (this.behaves === 'hang') return;
      if (this.behaves === 'reset') return request.socket.resetAndDestroy();
      if (this.behaves === 'slow') await new Promise((done) => setTimeout(done, 200));
      if (this.behaves === 'refuse') return response.writeHead(500).end();
      const body = Buffer.concat(parts).toString();
      this.posts.push({headers: request.headers, body});
      this.lines.push(...body.split('\n').filter(Boolean));
      response.writeHead(204).end();
    };
    this.server = tls ? https.createServer(tls, serve) : http.createServer(serve);
  }
  async listen(s, port = 0) {
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.port = this.server.address().port;
    s.defer(() => this.server.listening && this.close());
    return this;
  }
  close() {
    this.server.closeAllConnections();
    return new Promise((done) => this.server.close(done));
  }
  // By seq, as a receiver of what comes at least once keeps it.
  record() {
    const bySeq = new Map();
    for (const text of this.lines) {
      const line = JSON.parse(text);
      if (line.kind) bySeq.set(line.seq, text);
    }
    return [...bySeq].sort(([a], [b]) => a - b).map(([, text]) => text);
  }
  checkpoints() {
    return [...new Set(this.lines.filter((text) => JSON.parse(text).sig))];
  }
}

async function configured(s, sinks, {origin, ...audit} = {}) {
  const jordan = agentEntry('jordan');
  const api = await s.origin(origin);
  const wiring = await s.configure({
    policy: policyOf([jordan], allowAll('api')),
    upstreams: {api: {http: api.url()}},
    config: {audit: {path: './state/audit.jsonl', sinks, ...audit}}
  });
  const path = join(wiring.folder, 'state/audit.jsonl');
  const admin = async (what) =>
      (await fetch(`http://127.0.0.1:${wiring.adminPort}/${what}`)).status;
  return {jordan, api, wiring, path, admin, lines: () => linesOf(path)};
}
const linesOf = (path) =>
    existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
const get = async (sidecar, agent, what = 'x') =>
    (await sidecar.call('GET', `/api/${what}`, {token: agent.token})).status;

scenario(
    'a webhook gets every line, signed, whatever becomes of it, and no call waits', async (s) => {
      const hook = await new Webhook().listen(s);
      const {jordan, wiring, path, lines} = await configured(
          s, [{name: 'siem', to: `http://127.0.0.1:${hook.port}/in`, secret, timeout: '300ms'}]);
      let sidecar = await s.launch(wiring).ready();
      for (const behaves of ['take', 'slow', 'refuse', 'reset', 'hang', 'take']) {
        hook.behaves = behaves;
        for (let i = 0; i < 5; ++i) assert.equal(await get(sidecar, jordan, behaves), 200);
        if (behaves === 'take' || behaves === 'slow') continue;
        await until(
            async () => await sidecar.metric('reeve_audit_sink_up', {sink: 'siem'}) === 0,
            'trouble');
        assert.ok(await sidecar.metric('reeve_audit_sink_errors_total', {sink: 'siem'}) > 0);
        assert.ok(await sidecar.metric('reeve_audit_sink_lag_lines', {sink: 'siem'}) > 0);
      }
      await until(() => hook.record().length === lines().length, 'all lines');
      await until(
          async () => await sidecar.metric('reeve_audit_sink_lag_lines', {sink: 'siem'}) === 0,
          'no lag');
      assert.equal(await sidecar.metric('reeve_audit_sink_up', {sink: 'siem'}), 1);
      assert.equal(await sidecar.metric('reeve_audit_sink_dropped_total', {sink: 'siem'}), 0);

      // Away, and killed while it is: what is not delivered comes with the next start.
      await hook.close();
      for (let i = 0; i < 5; ++i) assert.equal(await get(sidecar, jordan, 'away'), 200);
      await sidecar.kill();
      const again = await Object.assign(new Webhook(), {lines: hook.lines, posts: hook.posts})
                        .listen(s, hook.port);
      sidecar = await s.launch(wiring).ready();
      await get(sidecar, jordan, 'after');
      await sidecar.stop();
      assert.deepEqual(again.record(), lines(), 'also what was written while it ended');
      assert.deepEqual(again.checkpoints(), linesOf(`${path}.checkpoints`));
      for (const {headers, body} of again.posts) {
        const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
        const mac = createHmac('sha256', secret).update(signed).digest('base64');
        assert.equal(headers['webhook-signature'], `v1,${mac}`);
        const seqs = body.split('\n').filter(Boolean).map(JSON.parse).filter(({kind}) => kind);
        const range = seqs.length ? `${seqs[0].seq}-${seqs.at(-1).seq}` : '0-0';
        assert.equal(headers['reeve-sequence'], range);
        assert.ok(headers['webhook-id'].startsWith(`siem.${range}.`));
      }
      // What it keeps is a record that verifies, and its checkpoints vouch for the one at hand.
      const copy = join(wiring.folder, 'copy.jsonl');
      writeFileSync(copy, again.record().map((line) => `${line}\n`).join(''));
      writeFileSync(`${copy}.checkpoints`, again.checkpoints().map((line) => `${line}\n`).join(''));
      assert.equal((await run(binary, ['audit', 'verify', copy])).code, 0);
      const anchors = join(wiring.folder, 'received');
      writeFileSync(anchors, again.posts.map(({body}) => body).join(''));
      assert.equal((await run(binary, ['audit', 'verify', '--checkpoint', anchors, path])).code, 0);
      // The end of both is cut off: only the receiver tells.
      writeFileSync(path, lines().slice(0, 3).map((line) => `${line}\n`).join(''));
      rmSync(`${path}.checkpoints`);
      const told = await run(binary, ['audit', 'verify', '--checkpoint', anchors, path]);
      assert.equal(told.code, 1, told.out);
    });

scenario('a required webhook has each decision before its call goes on', async (s) => {
  const hook = await new Webhook().listen(s);
  const unseen = [];
  const {jordan, api, wiring, path, admin} = await configured(
      s, [{to: `http://127.0.0.1:${hook.port}/`, required: true, timeout: '400ms'}], {
        origin: (request, response) => {
          const known = hook.lines.some(
              (text) =>
                  text.includes('"kind":"decision"') && text.includes(`"target":"${request.url}"`));
          if (!known) unseen.push(request.url);
          ok(request, response);
        }
      });
  const sidecar = await s.launch(wiring).ready();
  const many = (what) =>
      Promise.all(Array.from({length: 20}, (_, i) => get(sidecar, jordan, `${what}/${i}`)));
  assert.deepEqual(new Set(await many('good')), new Set([200]));
  for (const behaves of ['refuse', 'reset', 'hang']) {
    hook.behaves = behaves;
    const reached = api.requests.length;
    assert.deepEqual(new Set(await many(behaves)), new Set([503]));
    assert.equal(api.requests.length, reached, 'a call went on without it');
    await until(async () => await admin('readyz') === 503, 'readyz that says so');
    assert.equal(await admin('livez'), 200);
    hook.behaves = 'take';
    await until(async () => await admin('readyz') === 200, 'readyz when it takes lines');
    assert.deepEqual(new Set(await many(`after-${behaves}`)), new Set([200]));
  }
  await sidecar.stop();
  assert.deepEqual(unseen, [], 'calls whose decision the receiver did not have');
  assert.deepEqual(hook.record(), linesOf(path));
  assert.equal((await run(binary, ['audit', 'verify', path])).code, 0);
  const outcomes =
      hook.record().map(JSON.parse).filter(({kind,
                                             status}) => kind === 'outcome' && status === 503);
  assert.equal(outcomes.length, 60, 'those that were refused are in the record');
});

scenario('a webhook behind https is who its certificate says', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const other = authority(folder, 'other');
  const named = serverCertificate(folder, 'hook', ca);
  const hook =
      await new Webhook({cert: readFileSync(named.cert), key: readFileSync(named.key)}).listen(s);
  const to = `https://localhost:${hook.port}/`;
  const {wiring} =
      await configured(s, [{name: 'good', to, ca: ca.cert}, {name: 'bad', to, ca: other.cert}]);
  const sidecar = await s.launch(wiring).ready();
  await until(() => hook.lines.length > 0, 'lines');
  await until(
      async () => await sidecar.metric('reeve_audit_sink_errors_total', {sink: 'bad'}) > 0,
      'an error');
  assert.equal(await sidecar.metric('reeve_audit_sink_delivered_total', {sink: 'bad'}), 0);
});

scenario('syslog over UDP and TCP gets RFC 5424, and TCP comes back after a break', async (s) => {
  const datagrams = [];
  const udp = dgram.createSocket('udp4');
  udp.on('message', (message) => datagrams.push(message.toString()));
  await new Promise((done) => udp.bind(0, '127.0.0.1', done));
  s.defer(() => udp.close());
  const messages = [];
  const sockets = new Set();
  const tcp = net.createServer((socket) => {
    sockets.add(socket);
    let rest = '';
    socket.on('error', () => {});
    socket.on('data', (data) => {
      rest += data.toString('latin1');
      for (let at; (at = rest.indexOf(' ')) > 0;) {
        const size = Number(rest.slice(0, at));
        if (rest.length < at + 1 + size) break;
        messages.push(rest.slice(at + 1, at + 1 + size));
        rest = rest.slice(at + 1 + size);
      }
    });
  });
  await new Promise((done) => tcp.listen(0, '127.0.0.1', done));
  s.defer(() => tcp.close());
  const {jordan, wiring, lines, path} = await configured(s, [
    {name: 'u', to: `syslog+udp://127.0.0.1:${udp.address().port}`},
    {name: 't', to: `syslog+tcp://127.0.0.1:${tcp.address().port}`},
  ]);
  const sidecar = await s.launch(wiring).ready();
  assert.equal(await get(sidecar, jordan), 200);
  await until(() => messages.some((text) => text.includes('"kind":"outcome"')), 'lines by TCP');
  for (const socket of sockets) socket.destroy();
  for (let i = 0; i < 3; ++i) {
    await get(sidecar, jordan, `late/${i}`);
    await until(
        () => messages.some((text) => text.includes(`"target":"/late/${i}"`)), 'more by TCP');
  }
  await sidecar.stop();
  const form = /^<110>1 (\S+) \S+ reeve \d+ (\w+) - (\{.*\})$/;
  for (const received of [datagrams, messages]) {
    const bodies = new Set(received.map((text) => {
      const [, time, kind, body] = form.exec(text);
      const line = JSON.parse(body);
      assert.equal(kind, line.kind ?? 'checkpoint');
      if (line.kind) assert.equal(time, line.time);
      return body;
    }));
    for (const line of lines()) assert.ok(bodies.has(line), line);
  }
  const log = join(wiring.folder, 'log');
  writeFileSync(log, datagrams.map((text) => `${text}\n`).join(''));
  assert.equal((await run(binary, ['audit', 'verify', '--checkpoint', log, path])).code, 0);
});

scenario(
    'the local syslog gets what syslog(3) sends; one that is full holds nobody up', async (s) => {
      const folder = s.folder();
      const socket = join(folder, 'log');
      // Node has no datagrams on Unix sockets. Takes nothing until there is a file `go`.
      const receiver = `import os, socket, time
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind('log')
while not os.path.exists('go'): time.sleep(0.01)
with open('taken', 'ab', buffering=0) as taken:
  while True: taken.write(receiver.recv(1 << 20) + b'\\n')
`;
      writeFileSync(join(folder, 'receive.py'), receiver);
      const child = spawn('python3', ['receive.py'], {cwd: folder, stdio: 'ignore'});
      s.defer(() => child.kill('SIGKILL'));
      await until(() => existsSync(socket), 'the socket');
      const {jordan, wiring, lines} =
          await configured(s, [{to: `syslog:${socket}`, timeout: '200ms', content: 'lines'}]);
      const sidecar = await s.launch(wiring).ready();
      for (let i = 0; i < 100; ++i) assert.equal(await get(sidecar, jordan, `x/${i}`), 200);
      await until(async () => await sidecar.metric('reeve_audit_sink_up') === 0, 'a full socket');
      writeFileSync(join(folder, 'go'), '');
      const taken = join(folder, 'taken');
      const bodies = () => new Set(linesOf(taken).map((text) => {
        const found =
            /^<110>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d reeve\[\d+\]: (\{.*\})$/.exec(text);
        assert.ok(found, text);
        return found[1];
      }));
      await until(() => lines().length === bodies().size, 'all lines');
      assert.deepEqual([...bodies()].sort(), lines().sort());
    });

scenario(
    'standard output that nobody reads holds nobody up, and gets all in the end', async (s) => {
      const {jordan, wiring, lines} = await configured(s, [{to: 'stdout', timeout: '200ms'}]);
      const sidecar = s.launch(wiring);
      let out = '';
      sidecar.child.stdout.on('data', (data) => {
        out += data;
      });
      await sidecar.ready();
      sidecar.child.stdout.pause();
      for (let i = 0; i < 300; ++i)
        assert.equal(await get(sidecar, jordan, `${'y'.repeat(300)}/${i}`), 200);
      await until(async () => await sidecar.metric('reeve_audit_sink_up') === 0, 'a full pipe');
      sidecar.child.stdout.resume();
      await until(async () => await sidecar.metric('reeve_audit_sink_lag_lines') === 0, 'no lag');
      await sidecar.stop();
      const received = new Set(out.split('\n'));
      for (const line of lines()) assert.ok(received.has(line), line);
    });
