// Tunnels: what they carry and what never, how they end, their limits, and what the record says.
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';

import {assert, call, sanitized, scenario, until, within} from './lib.mjs';
import {clientHello, closed, connect, echo, everything, readBytes, start, tcpServer} from './tunnel.mjs';

const peakKb = (pid) =>
    Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

scenario('to port 443 goes only TLS for the host that was asked for', async (s) => {
  const {sidecar, token} = await start(s, {config: {limits: {head: '1s', drain: '2s'}}});
  const got = [];
  let localhost;
  try {
    localhost =
        await tcpServer(s, (socket) => socket.on('data', (data) => got.push(data)), {port: 443});
  } catch {
    return;  // another program has the port, or it needs root
  }
  const refused = [
    ['sni', await clientHello('evil.example')],
    ['sni', await clientHello('')],
    ['client-hello', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['client-hello', Buffer.from('SSH-2.0-OpenSSH\r\n')],
    ['client-hello', Buffer.concat([Buffer.from([0x16, 3, 1, 0, 4, 2, 0, 0, 0])])],
    ['timeout', (await clientHello('localhost')).subarray(0, 40)],
    ['timeout', Buffer.alloc(0)],
  ];
  for (const [error, bytes] of refused) {
    const {socket} = await connect(sidecar, 'localhost:443', {token});
    socket.write(bytes);
    const back = await everything(socket);
    if (error === 'sni') assert.equal(back.toString('hex'), '15030100020270', 'an alert');
  }
  const half = await connect(sidecar, 'localhost:443', {token});
  half.socket.end((await clientHello('localhost')).subarray(0, 40));
  await everything(half.socket);
  assert.deepEqual(Buffer.concat(got).toString(), '', 'not one byte went on');
  const records = await sidecar.records({action: 'CONNECT'}, refused.length + 1);
  assert.deepEqual(
      records.map(({outcome}) => outcome.error),
      [...refused.map(([error]) => error), 'client-hello']);
  for (const {outcome} of records) assert.equal(outcome.bytes_in, 0);

  // With CONNECT itself; in another case; byte by byte, and early data behind it.
  const hello = await clientHello('LocalHost');
  const flight = Buffer.concat([hello, Buffer.from('early data')]);
  const eager = await connect(sidecar, 'localhost:443', {token, first: flight});
  await until(() => Buffer.concat(got).equals(flight), 'a flight that came with CONNECT');
  eager.socket.destroy();
  got.length = 0;
  const slow = await connect(sidecar, 'localhost:443', {token});
  slow.socket.setNoDelay(true);
  for (const byte of flight) {
    slow.socket.write(Buffer.from([byte]));
    await new Promise((done) => setImmediate(done));
  }
  await until(() => Buffer.concat(got).equals(flight), 'a flight that came byte by byte');
  slow.socket.destroy();
  // For an address no name is sent.
  got.length = 0;
  const nameless = await connect(sidecar, '127.0.0.1:443', {token});
  const bare = await clientHello('');
  nameless.socket.write(bare);
  await until(() => Buffer.concat(got).equals(bare), 'a flight without a name');
  nameless.socket.destroy();
});

scenario('to other ports goes anything but TLS for another host', async (s) => {
  const {sidecar, token} = await start(s);
  const server = await tcpServer(s, (socket) => {
    socket.write('hello');  // a server that speaks first
    echo(socket);
  });
  const target = `localhost:${server.port}`;
  const plain = await connect(sidecar, target, {token});
  assert.equal((await readBytes(plain.socket, 5)).toString(), 'hello');
  plain.socket.write('QUIT');
  assert.equal((await readBytes(plain.socket, 4)).toString(), 'QUIT');
  plain.socket.destroy();
  for (const name of ['localhost', '']) {
    const hello = await clientHello(name);
    const {socket} = await connect(sidecar, target, {token});
    socket.write(hello);
    assert.deepEqual((await readBytes(socket, 5 + hello.length)).subarray(5), hello);
    socket.destroy();
  }
  const other = await connect(sidecar, target, {token});
  other.socket.write(await clientHello('evil.example'));
  assert.equal((await everything(other.socket)).subarray(0, 5).toString(), 'hello');
  await until(
      () => sidecar.audit({kind: 'outcome', error: 'sni'}).length === 1, 'the record of the name');
});

scenario('an end goes on as an end, and a reset as a reset', async (s) => {
  const {sidecar, token} = await start(s);
  const ended = [];
  const server = await tcpServer(s, (socket) => {
    socket.on('data', () => {});
    socket.on('end', () => {
      ended.push('end');
      socket.end('all that was to say');
    });
    socket.on('error', () => ended.push('reset'));
  });
  const target = `127.0.0.1:${server.port}`;
  // Half-closed by the agent, answered after that.
  const half = await connect(sidecar, target, {token});
  half.socket.end('question');
  assert.equal((await everything(half.socket)).toString(), 'all that was to say');
  assert.deepEqual(ended, ['end']);
  // Half-closed by the server, who still listens.
  const heard = [];
  const talker = await tcpServer(s, (socket) => {
    socket.end('bye');
    socket.on('data', (data) => heard.push(data));
  });
  const late = await connect(sidecar, `127.0.0.1:${talker.port}`, {token});
  late.socket.on('data', () => {});
  late.socket.resume();
  await within(once(late.socket, 'end'), 'the end of the server');
  late.socket.end('still here');
  await until(() => Buffer.concat(heard).toString() === 'still here', 'bytes after the end');
  // Reset by the agent.
  const gone = await connect(sidecar, target, {token});
  gone.socket.write('x');
  await until(() => server.sockets.length === 2, 'the tunnel');
  gone.socket.resetAndDestroy();
  await until(() => ended.length === 2, 'the agent\'s end at the server');
  // Reset by the server.
  const cut = await connect(sidecar, target, {token});
  cut.socket.write('x');
  await until(() => server.sockets.length === 3, 'the tunnel');
  server.sockets[2].resetAndDestroy();
  await everything(cut.socket);
  const records = await sidecar.records({action: 'CONNECT'}, 4);
  assert.deepEqual(
      records.map(({outcome}) => outcome.error), [undefined, undefined, 'agent-gone', 'closed']);
  assert.deepEqual(
      [records[0].outcome.bytes_in, records[0].outcome.bytes_out],
      ['question'.length, 'all that was to say'.length]);
  await until(async () => await sidecar.metric('reeve_connections') === 0, 'no connection');
});

scenario('an agent that resets while the server takes nothing is noticed', async (s) => {
  const {sidecar, token} = await start(s);
  const server = await tcpServer(s, (socket) => socket.pause());
  const {socket} = await connect(sidecar, `127.0.0.1:${server.port}`, {token});
  const block = Buffer.alloc(1 << 20);
  let taken = 0;
  const fill = () => {
    while (socket.write(block)) taken += block.length;
  };
  fill();
  await until(() => socket.writableNeedDrain, 'a tunnel that is full');
  const full = () => sidecar.audit({kind: 'outcome'}).length;
  assert.equal(full(), 0);
  socket.resetAndDestroy();
  const [{outcome}] = await sidecar.records({action: 'CONNECT'});
  assert.equal(outcome.error, 'agent-gone');
});

scenario('100 MB each way through bounded memory', async (s) => {
  const {sidecar, token} = await start(s);
  const server = await tcpServer(s, echo);
  const {socket} = await connect(sidecar, `127.0.0.1:${server.port}`, {token});
  const before = peakKb(sidecar.pid);
  const size = (sanitized ? 10 : 100) << 20;
  const block = Buffer.alloc(1 << 20);
  for (let i = 0; i < block.length; ++i) block[i] = i * 7 + (i >> 8);
  const sent = createHash('sha256'), came = createHash('sha256');
  let received = 0;
  socket.on('data', (data) => {
    came.update(data);
    received += data.length;
  });
  socket.resume();
  for (let at = 0; at < size; at += block.length) {
    sent.update(block);
    if (!socket.write(block)) await once(socket, 'drain');
  }
  socket.end();
  await within(closed(socket), 'the end', 60_000);
  assert.equal(received, size);
  assert.equal(came.digest('hex'), sent.digest('hex'));
  if (!sanitized)
    assert.ok(peakKb(sidecar.pid) - before < 2048, `${before} KiB, then ${peakKb(sidecar.pid)}`);
  const [{outcome}] = await sidecar.records({action: 'CONNECT'});
  assert.deepEqual([outcome.bytes_in, outcome.bytes_out, outcome.error], [size, size, undefined]);
});

scenario('a tunnel has limits: silence, time, bytes', async (s) => {
  const server = await tcpServer(s, echo);
  const limits = {drain: '2s'};
  const idle = await start(s, {config: {limits: {...limits, tunnel_idle: '1s'}}});
  const quiet = await connect(idle.sidecar, `127.0.0.1:${server.port}`, {token: idle.token});
  for (let i = 0; i < 5; ++i) {  // not silent for longer than it may be
    quiet.socket.write('tick');
    await readBytes(quiet.socket, 4);
    await new Promise((done) => setTimeout(done, 300));
  }
  await everything(quiet.socket);
  const [first] = await idle.sidecar.records({action: 'CONNECT'});
  assert.deepEqual([first.outcome.error, first.outcome.bytes_in], ['timeout', 20]);
  assert.ok(first.outcome.ms >= 2000, `${first.outcome.ms} ms`);

  const short = await start(s, {config: {limits: {...limits, tunnel_time: '500ms'}}});
  const busy = await connect(short.sidecar, `127.0.0.1:${server.port}`, {token: short.token});
  const ticks = setInterval(() => busy.socket.writable && busy.socket.write('tick'), 20);
  await everything(busy.socket);
  clearInterval(ticks);
  const [second] = await short.sidecar.records({action: 'CONNECT'});
  assert.equal(second.outcome.error, 'limit');

  const small = await start(s, {config: {limits: {...limits, tunnel_bytes: '1024'}}});
  const exact = await connect(small.sidecar, `127.0.0.1:${server.port}`, {token: small.token});
  exact.socket.write('x'.repeat(512));
  await readBytes(exact.socket, 512);
  exact.socket.end();
  await everything(exact.socket);
  const over = await connect(small.sidecar, `127.0.0.1:${server.port}`, {token: small.token});
  over.socket.write('x'.repeat(512));
  await readBytes(over.socket, 512);
  over.socket.write('x');
  await everything(over.socket);
  const both = await small.sidecar.records({action: 'CONNECT'}, 2);
  assert.deepEqual(
      both.map(({outcome}) => [outcome.error, outcome.bytes_in + outcome.bytes_out]),
      [[undefined, 1024], ['limit', 1024]]);
});

scenario('SIGTERM: a tunnel may end, and is cut when the time is over', async (s) => {
  const server = await tcpServer(s, echo);
  const target = `127.0.0.1:${server.port}`;
  const patient = await start(s, {config: {limits: {drain: '30s'}}});
  const {socket} = await connect(patient.sidecar, target, {token: patient.token});
  patient.sidecar.signal('SIGTERM');
  await until(
      () => call(patient.sidecar.port, 'GET', '/api/late', {
              token: patient.token
            }).then(() => false, (error) => error.code === 'ECONNREFUSED'),
      'a refused connection');
  socket.write('still');
  assert.equal((await readBytes(socket, 5)).toString(), 'still');
  socket.end();
  await everything(socket);
  assert.deepEqual(await within(patient.sidecar.ended, 'the end'), {code: 0, signal: null});
  assert.equal(patient.sidecar.audit({kind: 'outcome', action: 'CONNECT'})[0].error, undefined);

  const hasty = await start(s, {config: {limits: {drain: '200ms'}}});
  const stuck = await connect(hasty.sidecar, target, {token: hasty.token});
  hasty.sidecar.signal('SIGTERM');
  await everything(stuck.socket);
  assert.deepEqual(await within(hasty.sidecar.ended, 'the end'), {code: 0, signal: null});
  assert.equal(hasty.sidecar.audit({kind: 'outcome', action: 'CONNECT'}).length, 1);
});
