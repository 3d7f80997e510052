// Streams: bytes go on as they come, in both directions, within bounded memory; who hangs up is
// noticed on the other side; and a sidecar that is told to end lets what is under way finish.
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import http from 'node:http';

import {agentEntry, allowAll, assert, call, ok, policyOf, sanitized, scenario, until, within} from './lib.mjs';

const streams = (handler) => Object.assign(handler, {streams: true});

async function start(s, handler, options = {}) {
  const origin = await s.origin(handler);
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allowAll('api'), options.more),
    upstreams: {api: {http: origin.url()}},
    ...options
  });
  return {origin, sidecar, token: jordan.token};
}
const peakKb = (pid) =>
    Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

scenario('each event arrives before the next is sent', async (s) => {
  let next;
  const {sidecar, token} =
      await start(s, streams(async (request, response) => {
                    response.writeHead(200, {'Content-Type': 'text/event-stream'});
                    for (let i = 0; i < 20; ++i) {
                      response.write(`id: ${i}\ndata: event ${i}\n\n`);
                      await new Promise((done) => {
                        next = done;
                      });  // until the client has it
                    }
                    response.end();
                  }));
  const {response, status} = await sidecar.call('GET', '/api/events', {token, stream: true});
  assert.equal(status, 200);
  let text = '';
  for (let i = 0; i < 20; ++i) {
    await until(() => {
      text += response.read() ?? '';
      return text.includes(`event ${i}\n\n`);
    }, `event ${i}`);
    assert.ok(!text.includes(`event ${i + 1}`));
    next();
  }
  response.resume();
  await within(once(response, 'end'), 'the end of the stream');
});

scenario('a request body goes on while it is still being sent', async (s) => {
  let seen = '';
  const {sidecar, token} = await start(s, streams((request, response) => {
                                         request.on('data', (data) => {
                                           seen += data;
                                         });
                                         request.on('end', () => response.end('done'));
                                       }));
  const request = http.request({
    port: sidecar.port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/api/upload',
    headers: {'Authorization': `Bearer ${token}`, 'Transfer-Encoding': 'chunked'}
  });
  const answer = once(request, 'response');
  for (const part of ['one ', 'two ', 'three']) {
    request.write(part);
    await until(() => seen.endsWith(part), `"${part}" at the upstream`);
  }
  request.end();
  const [response] = await within(answer, 'the answer');
  assert.equal(response.statusCode, 200);
  response.resume();
  assert.equal(seen, 'one two three');
});

const megabytes = sanitized ? 10 : 100;
const block = Buffer.alloc(1 << 20, 'reeve ');

scenario(`${megabytes} MB each way, whole and within bounded memory`, async (s) => {
  const {sidecar, token} =
      await start(s, streams(async (request, response) => {
                    if (request.method === 'POST') {
                      const hash = createHash('sha256');
                      for await (const part of request) hash.update(part);
                      return response.end(hash.digest('hex'));
                    }
                    response.writeHead(200, {'Content-Length': megabytes * block.length});
                    for (let i = 0; i < megabytes; ++i)
                      if (!response.write(block)) await once(response, 'drain');
                    response.end();
                  }));
  const whole = createHash('sha256');
  for (let i = 0; i < megabytes; ++i) whole.update(block);
  const digest = whole.digest('hex');
  await sidecar.call('POST', '/api/warm', {token, body: 'x'});
  const before = peakKb(sidecar.pid);

  const {response} = await sidecar.call('GET', '/api/big', {token, stream: true});
  const got = createHash('sha256');
  for await (const part of response) got.update(part);
  assert.equal(got.digest('hex'), digest);

  const request = http.request({
    port: sidecar.port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/api/big',
    headers: {'Authorization': `Bearer ${token}`, 'Content-Length': megabytes * block.length}
  });
  const answered = once(request, 'response');
  for (let i = 0; i < megabytes; ++i)
    if (!request.write(block)) await once(request, 'drain');
  request.end();
  const [answer] = await within(answered, 'the answer to the upload', 60_000);
  let text = '';
  for await (const part of answer) text += part;
  assert.equal(text, digest);
  const grown = peakKb(sidecar.pid) - before;
  if (!sanitized) assert.ok(grown < 4096, `memory grew by ${grown} KB`);
  const [record] = await sidecar.records({target: '/big', action: 'GET'});
  assert.ok(record.outcome.bytes_out >= megabytes * block.length);
});

scenario('an idle sidecar is small', async (s) => {
  const {sidecar, token} = await start(s);
  for (let i = 0; i < 100; ++i) await sidecar.call('GET', '/api/x', {token});
  const anonymous =
      Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${sidecar.pid}/status`, 'utf8'))[1]);
  assert.ok(anonymous < 10 * 1024, `${anonymous} KB of anonymous memory`);
}, {skip: sanitized});

scenario('a reader that stops slows the writer, not the memory', async (s) => {
  const megabytes = 100;  // more than the kernel's buffers on the way may take
  let sent = 0;
  const {sidecar, token} = await start(s, streams(async (request, response) => {
                                         for (let i = 0; i < megabytes; ++i) {
                                           if (!response.write(block))
                                             await once(response, 'drain');
                                           sent += block.length;
                                         }
                                         response.end();
                                       }));
  await sidecar.call('GET', '/elsewhere', {token});
  const before = peakKb(sidecar.pid);
  const {response} = await sidecar.call('GET', '/api/big', {token, stream: true});
  response.pause();
  let last = -1;
  let still = 0;
  await until(() => {
    still = sent === last ? still + 1 : 0;
    last = sent;
    return still >= 20;
  }, 'a writer that waits');
  assert.ok(sent < megabytes * block.length, 'the upstream must wait for the agent');
  const grown = peakKb(sidecar.pid) - before;
  if (!sanitized) assert.ok(grown < 4096, `memory grew by ${grown} KB`);
  let received = 0;
  for await (const part of response) received += part.length;
  assert.equal(received, megabytes * block.length);
});

scenario('an agent that hangs up is noticed upstream, and the call is recorded', async (s) => {
  let closed = 0;
  const {origin, sidecar, token} = await start(s, streams((request, response) => {
                                                 response.on('close', () => {
                                                   if (!response.writableFinished) closed += 1;
                                                 });
                                                 if (request.url === '/streaming')
                                                   response.write('first');
                                               }));
  const {request, response} = await sidecar.call('GET', '/api/streaming', {token, stream: true});
  await within(once(response, 'data'), 'the first bytes');
  request.destroy();
  response.on('error', () => {});
  await until(() => closed === 1, 'the end of the stream at the upstream');

  const waiting = http.get({
    port: sidecar.port,
    host: '127.0.0.1',
    path: '/api/waiting',
    headers: {Authorization: `Bearer ${token}`}
  });
  waiting.on('error', () => {});
  await until(
      () => origin.requests.some(({url}) => url === '/waiting'), 'the call at the upstream');
  waiting.destroy();
  await until(() => closed === 2, 'the end of the unanswered call at the upstream');
  await sidecar.records({upstream: 'api'}, 2);
});

scenario('an upstream that breaks off leaves no answer that looks whole', async (s) => {
  const {sidecar, token} = await start(s, streams((request, response) => {
                                         if (request.url === '/length')
                                           response.writeHead(200, {'Content-Length': 1000});
                                         response.write('a part');
                                         request.socket.destroySoon();
                                       }));
  for (const path of ['/api/length', '/api/chunked']) {
    await assert.rejects(sidecar.call('GET', path, {token}), path);
  }
  const records = await sidecar.records({upstream: 'api'}, 2);
  for (const {outcome} of records) assert.ok(outcome.error, 'the outcome names the failure');
});

scenario(
    'SIGTERM: what is under way finishes, nothing new begins, all is recorded and settled',
    async (s) => {
      const held = [];
      const {origin, sidecar, token} =
          await start(s, streams((request, response) => held.push(response)), {
            config: {limits: {drain: '30s'}},
            more: 'prices:\n  - {upstream: api, http: "* /**", cost: 0.01 USD}\n' +
                'budgets:\n  cap: {for: everyone, limit: 5 USD per month}\n'
          });
      const calls = Array.from({length: 20}, (_, i) => sidecar.call('GET', `/api/${i}`, {token}));
      await until(() => held.length === 20, '20 calls at the upstream');
      sidecar.signal('SIGTERM');
      await until(
          () => call(sidecar.port, 'GET', '/nowhere/late', {token})
                    .then(() => false, (error) => error.code === 'ECONNREFUSED'),
          'a refused connection');
      assert.equal(sidecar.exit, undefined, 'it waits for what is under way');
      for (const response of held) ok(null, response);
      for (const answer of await Promise.all(calls))
        assert.deepEqual([answer.status, answer.body], [200, 'ok']);
      assert.deepEqual(await within(sidecar.ended, 'the end'), {code: 0, signal: null});
      assert.equal(origin.requests.length, 20);
      assert.equal(sidecar.audit({kind: 'outcome', status: 200}).length, 20);
      assert.equal(sidecar.audit().at(-1).kind, 'stop');
    });

scenario('SIGTERM: a stream without an end is cut when the time is over', async (s) => {
  const {sidecar, token} = await start(
      s, streams((request, response) => response.write('on and on')),
      {config: {limits: {drain: '200ms'}}});
  const {response} = await sidecar.call('GET', '/api/x', {token, stream: true});
  await within(once(response, 'data'), 'the first bytes');
  const broken = new Promise((done) => {
    response.on('error', done);
    response.on('close', done);
  });
  response.resume();
  sidecar.signal('SIGTERM');
  await within(broken, 'the end of the stream');
  assert.equal((await within(sidecar.ended, 'the end')).signal, null);
  assert.equal(sidecar.audit({kind: 'outcome', upstream: 'api'}).length, 1);
});
