// What many clients, slow ones and large transfers cost in memory, and that whoever is slow or
// unfinished takes nothing from others. Figures are of anonymous memory (RssAnon); no time is
// asserted. G5, G7, G8 and G10 of the guarantees.
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import http from 'node:http';
import net from 'node:net';

import {agentEntry, allowAll, assert, call, long, policyOf, sanitized, scenario, until, within} from './lib.mjs';

const streams = (handler) => Object.assign(handler, {streams: true});
async function start(s, {handler, config, more, rules = allowAll('api')} = {}) {
  const jordan = agentEntry('jordan');
  const origin = await s.origin(handler);
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], rules, more),
    upstreams: {api: {http: origin.url()}},
    config: {threads: 1, ...config}
  });
  return {sidecar, origin, token: jordan.token};
}
const anonymousKb = ({pid}) =>
    Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const head = (token, path = '/api/x') =>
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`;

// `count` connections that have sent `bytes` and stay; `seen` becomes true of those that were
// answered.
async function crowd(s, sidecar, count, bytes) {
  const all = Array.from({length: count}, () => {
    const one = {text: ''};
    one.socket = net.connect({port: sidecar.port, host: '127.0.0.1', noDelay: true});
    one.sent = new Promise((done) => {
      one.socket.on('connect', () => (bytes ? one.socket.write(bytes, done) : done()));
      one.socket.on('error', done);
    });
    one.socket.on('data', (data) => {
      one.text += data;
    });
    s.defer(() => one.socket.destroy());
    return one;
  });
  await within(Promise.all(all.map(({sent}) => sent)), `${count} connections`);
  await until(
      async () => await sidecar.metric('reeve_connections') >= count, `${count} open connections`);
  return all;
}
const noLimits = {
  limits: {idle: '10m', head: '10m', body: '10m', drain: '1s'}
};

const perConnection = (name, {count, bytes, most, config = noLimits, answered = false, rules}) =>
    scenario(`memory: ${name}`, async (s) => {
      const {sidecar, token} = await start(s, {config, rules});
      for (let i = 0; i < 200; ++i) await sidecar.call('GET', '/api/x', {token});
      await until(async () => await sidecar.metric('reeve_connections') === 0, 'quiet');
      const before = anonymousKb(sidecar);
      const all = await crowd(s, sidecar, count, bytes(token));
      if (answered)
        await until(() => all.every(({text}) => text.includes('200 OK')), 'all answers');
      const read = () => (anonymousKb(sidecar) - before) / count;
      // Until what was sent has been read.
      let last = -1;
      await until(() => {
        const now = read();
        const still = now === last;
        last = now;
        return still;
      }, 'a figure that stays');
      console.log(`# ${name}: ${read().toFixed(1)} KiB each`);
      assert.ok(read() <= most, `${read().toFixed(1)} KiB for each of ${count}, not ${most}`);
      assert.equal((await sidecar.call('GET', '/api/x', {token})).status, 200);
    }, {skip: sanitized});

perConnection('1,000 clients that have said nothing', {count: 1000, bytes: () => '', most: 32});
perConnection(
    '1,000 clients between two calls',
    {count: 1000, bytes: (token) => `${head(token)}\r\n`, answered: true, most: 32});
perConnection(
    '1,000 clients in the middle of a head',
    {count: 1000, bytes: (token) => `${head(token)}X-Half: ${'h'.repeat(1000)}`, most: 96});
perConnection('200 clients with 64 KiB of a head', {
  count: 200,
  bytes: (token) => `${head(token)}X-Half: ${'h'.repeat(63 * 1024)}`,
  config: {limits: {...noLimits.limits, header_bytes: '64KB'}},
  most: 64 + 2 * 32
});
perConnection('40 clients with 1 MB of a body that a rule reads, which is the limit', {
  count: 40,
  rules: `${allowAll('api')}    deny:
      - {upstream: api, http: "POST /**", when: {args.no: {max: 1}}}
`,
  bytes: (token) => `${head(token).replace('GET', 'POST')}Content-Type: application/json\r\n` +
      `Content-Length: 1000000\r\n\r\n${'b'.repeat(990_000)}`,
  config: {limits: {...noLimits.limits, body_bytes: '1MB'}},
  most: 1000 + 16 + 2 * 32
});

// G7.
for (const [name, bytes] of Object.entries({
       heads: (token) => head(token),
       bodies: (token) => `${head(token).replace('GET', 'POST')}Content-Length: 9\r\n\r\nh`,
     })) {
  scenario(`1,000 unfinished ${name} starve nobody`, async (s) => {
    const {sidecar, token} = await start(s, {config: noLimits});
    const median = async () => {
      const times = [];
      for (let i = 0; i < 200; ++i) {
        const begin = performance.now();
        assert.equal((await sidecar.call('GET', '/api/x', {token})).status, 200);
        times.push(performance.now() - begin);
      }
      times.sort((a, b) => a - b);
      return {p50: times[100], p99: times[197]};
    };
    const quiet = await median();
    await crowd(s, sidecar, 1000, bytes(token));
    const crowded = await median();
    console.log(
        `# beside 1,000 unfinished ${name}: p50 ${(crowded.p50 / quiet.p50).toFixed(2)}, p99 ${
            (crowded.p99 / quiet.p99).toFixed(2)} times that of a quiet minute`);
  });
}

// G8. The kernel's buffers are not the sidecar's memory; its own must not grow.
const megabytes = long ? 1024 : 128;
const block = Buffer.alloc(1 << 20, 'reeve ');
const stop = () => new Promise((done) => setTimeout(done, long ? 10_000 : 1000));
const growth = async (sidecar, work) => {
  let most = 0;
  const before = anonymousKb(sidecar);
  const timer = setInterval(() => {
    most = Math.max(most, anonymousKb(sidecar) - before);
  }, 20);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return most;
};

scenario(`${megabytes} MiB down to a client that stops reading`, async (s) => {
  const {sidecar, token} = await start(s, {
    handler: streams(async (request, response) => {
      response.writeHead(200, {'Content-Length': megabytes * block.length});
      for (let i = 0; i < megabytes; ++i)
        if (!response.write(block)) await once(response, 'drain');
      response.end();
    })
  });
  const fetch = async (pause) => {
    const {response} = await sidecar.call('GET', '/api/big', {token, stream: true});
    let received = 0;
    let paused = !pause;
    for await (const part of response) {
      received += part.length;
      if (!paused && received > (1 << 20)) {
        paused = true;
        await stop();
      }
    }
    assert.equal(received, megabytes * block.length);
  };
  await fetch(false);  // what a stream needs at all
  const grown = await growth(sidecar, () => fetch(true));
  console.log(`# ${grown} KiB more`);
  assert.ok(grown <= 256, `${grown} KiB`);
}, {skip: sanitized});

scenario(`${megabytes} MiB up to an upstream that stops reading`, async (s) => {
  const {sidecar, token} = await start(s, {
    config: {limits: {...noLimits.limits}},
    handler: streams(async (request, response) => {
      let received = 0;
      let paused = request.url !== '/stop';
      for await (const part of request) {
        received += part.length;
        if (!paused && received > (1 << 20)) {
          paused = true;
          await stop();
        }
      }
      response.end(String(received));
    })
  });
  const send = async (path) => {
    const request = http.request({
      port: sidecar.port,
      host: '127.0.0.1',
      method: 'POST',
      path,
      headers: {'Authorization': `Bearer ${token}`, 'Content-Length': megabytes * block.length}
    });
    const answered = once(request, 'response');
    for (let i = 0; i < megabytes; ++i)
      if (!request.write(block)) await once(request, 'drain');
    request.end();
    const [answer] = await within(answered, 'the answer', 120_000);
    let text = '';
    for await (const part of answer) text += part;
    assert.equal(text, String(megabytes * block.length));
  };
  await send('/api/go');
  const grown = await growth(sidecar, () => send('/api/stop'));
  console.log(`# ${grown} KiB more`);
  assert.ok(grown <= 256, `${grown} KiB`);
}, {skip: sanitized});

// G10.
scenario('SIGTERM with 100 calls of 0.1 to 5 s in flight: none is lost', async (s) => {
  const most = long ? 5000 : 2000;
  const {sidecar, token, origin} = await start(s, {
    config: {limits: {drain: '30s'}},
    more: 'prices:\n  - {upstream: api, http: "* /**", cost: 0.01 USD}\n' +
        'budgets:\n  cap: {for: everyone, limit: 5 USD per year}\n',
    handler: streams((request, response) => {
      const ms = Number(request.url.slice(1));
      setTimeout(() => response.end(`after ${ms}`), ms);
    })
  });
  const times = Array.from({length: 100}, (_, i) => 100 + Math.round((most - 100) * (i / 99)));
  const calls = times.map((ms) => sidecar.call('GET', `/api/${ms}`, {token}));
  await until(() => origin.requests.length === 100, '100 calls at the upstream');
  assert.equal((await call(sidecar.adminPort, 'GET', '/readyz')).status, 200);
  sidecar.signal('SIGTERM');
  await until(
      async () => (await call(sidecar.adminPort, 'GET', '/readyz')).status === 503,
      '/readyz to say that it is draining');
  assert.equal((await call(sidecar.adminPort, 'GET', '/livez')).status, 200);
  const answers = await Promise.all(calls);
  answers.forEach(({status, body}, i) => {
    assert.deepEqual([status, body], [200, `after ${times[i]}`]);
  });
  assert.deepEqual(await within(sidecar.ended, 'the end'), {code: 0, signal: null});
  const lines = sidecar.audit();
  assert.equal(lines.at(-1).kind, 'stop');
  for (const kind of ['decision', 'outcome'])
    assert.equal(lines.filter((line) => line.kind === kind && line.upstream).length, 100, kind);
  const cost = lines.reduce((sum, line) => sum + (line.kind === 'outcome' ? line.cost : 0), 0);
  assert.ok(Math.abs(cost - 1) < 1e-9, `${cost}`);
  // What was settled is what the next sidecar finds; nothing is reserved.
  const next = await s
                   .launch({
                     folder: sidecar.folder,
                     port: sidecar.port,
                     adminPort: sidecar.adminPort,
                     env: {REEVE_ADMIN_TOKEN: sidecar.adminToken}
                   })
                   .ready();
  const {json} = await call(next.adminPort, 'GET', '/v1/budgets', {token: next.adminToken});
  assert.deepEqual([Number(json.budgets[0].used), Number(json.budgets[0].reserved)], [1, 0]);
});

scenario('SIGTERM: the deadline ends what does not, with 0 and a whole record', async (s) => {
  const {sidecar, token, origin} = await start(s, {
    config: {limits: {drain: '300ms'}},
    handler: streams((request, response) => {
      if (request.url === '/stream') response.write('on and on');
    })
  });
  const calls = ['stream', ...Array.from({length: 20}, (_, i) => `never/${i}`)].map(
      (path) => sidecar.call('GET', `/api/${path}`, {token}).then(() => 'answered', () => 'cut'));
  await until(() => origin.requests.length === 21, '21 calls at the upstream');
  sidecar.signal('SIGTERM');
  assert.deepEqual(await within(sidecar.ended, 'the end'), {code: 0, signal: null});
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(['cut']));
  assert.equal(sidecar.audit({kind: 'outcome', upstream: 'api'}).length, 21);
  assert.equal(sidecar.audit().at(-1).kind, 'stop');
});
