// A listener with TLS, as real clients find it: what it speaks and refuses, streams both ways, and
// what becomes of clients that are slow, wrong or many.
import {createHash, randomBytes} from 'node:crypto';
import {readFileSync} from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';

import {authority, callTls, openssl, server} from './certificates.mjs';
import {agentEntry, allowAll, assert, ok, policyOf, raw, root, run, sanitized, scenario, until, within} from './lib.mjs';

async function start(s, {handler = ok, limits = {}, rules = allowAll('api'), upstreams} = {}) {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const pair = server(folder, 'server', ca);
  const origin = await s.origin(handler);
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    folder,
    policy: policyOf([jordan], rules),
    upstreams: upstreams ?? {api: {http: origin.url()}},
    listen: (port) =>
        [{name: 'local', address: `127.0.0.1:${port}`, tls: {cert: pair.cert, key: pair.key}}],
    config: {limits: {drain: '2s', ...limits}},
  });
  return {folder, ca, pair, origin, jordan, sidecar, port: sidecar.port};
}
const digest = (data) => createHash('sha256').update(data).digest('hex');
const open = (x, more = {}) => new Promise((resolve, reject) => {
  const socket = tls.connect(
      {
        host: '127.0.0.1',
        port: x.port,
        servername: 'localhost',
        ca: readFileSync(x.ca.cert),
        ...more
      },
      () => resolve(socket));
  socket.on('error', reject);
});

scenario('versions, protocols and what is no TLS', async (s) => {
  const x = await start(s);
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const answer = await callTls(
        x.port, 'GET', '/api/x',
        {ca: x.ca, token: x.jordan.token, minVersion: version, maxVersion: version});
    assert.equal(answer.status, 200, version);
    assert.equal(answer.protocol, version);
  }
  const old = {ca: x.ca, ciphers: 'DEFAULT@SECLEVEL=0'};
  const older = await callTls(
      x.port, 'GET', '/api/x', {...old, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1'});
  assert.match(older.error.message, /alert protocol version/i);
  const curl = (...args) => run('curl', [
    '-sS', '--cacert', x.ca.cert, '-o', '/dev/null', '-w', '%{http_code} %{http_version}', ...args,
    `https://localhost:${x.port}/api/x`, '-H', `Authorization: Bearer ${x.jordan.token}`
  ]);
  assert.equal((await curl('--http2')).out, '200 1.1', 'offers h2 and http/1.1');
  const onlyH2 = await open(x, {ALPNProtocols: ['h2']}).then(() => null, (error) => error);
  assert.match(onlyH2.message, /alert no application protocol/i);
  assert.equal((await open(x, {ALPNProtocols: ['h2', 'http/1.1']})).alpnProtocol, 'http/1.1');

  const renegotiated = await run(
      'openssl', ['s_client', '-connect', `127.0.0.1:${x.port}`, '-tls1_2'], {input: 'R\n'});
  assert.match(renegotiated.err + renegotiated.out, /no renegotiation|NO_RENEGOTIATION/);
  const session = openssl(
      x.folder, 's_client', '-connect', `127.0.0.1:${x.port}`, '-tls1_2', '-CAfile', x.ca.cert,
      '-cipher', 'ALL@SECLEVEL=0');
  assert.match(session, /Cipher is ECDHE-ECDSA-(AES|CHACHA20)/);
  assert.match(session, /Compression: NONE/);

  for (const method of ['GET', 'PATCH', 'CONNECT']) {
    const plain = await raw(x.port, `${method} /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.match(String(plain.text ?? plain), /^HTTP\/1\.1 400 .*speaks TLS; use https/s, method);
  }
  assert.equal(x.origin.requests.length, 3);
  const key = readFileSync(x.pair.key, 'utf8').split('\n')[1];
  assert.ok(!x.sidecar.stderr.includes(key), 'no key in the log');
});

scenario('slow and wrong handshakes are cut off and grow nothing', async (s) => {
  const x = await start(s, {limits: {head: '400ms'}});
  const ended = (socket) => new Promise((done) => socket.on('close', done).on('error', () => {}));
  const hello = Buffer.from('16030100c8010000c40303', 'hex');
  for (const bytes of [Buffer.alloc(0), hello, Buffer.from([22])]) {
    const socket = net.connect(x.port, '127.0.0.1');
    socket.resume();
    socket.write(bytes);
    await within(ended(socket), 'the end of a handshake that stalls');
  }
  const memory = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${x.sidecar.pid}/status`, 'utf8'))[1]);
  const flood = async (count) => {
    for (let done = 0; done < count; done += 50) {
      await Promise.all(Array.from({length: 50}, async (_, i) => {
        const socket = net.connect(x.port, '127.0.0.1');
        socket.resume();
        socket.write(
            i % 2 ? Buffer.concat([hello, randomBytes(189)]) :
                    Buffer.concat([Buffer.from('1603010040', 'hex'), randomBytes(64)]));
        await within(ended(socket), 'the end of a wrong handshake');
      }));
    }
  };
  await flood(200);
  const before = memory();
  await flood(1000);
  if (!sanitized) assert.ok(memory() - before < 4096, `${memory() - before} KiB more`);
  // The last are counted a moment after their end; those that said nothing in time count, too.
  await until(
      async () => await x.sidecar.metric('reeve_tls_handshake_errors_total') === 1203,
      'a count of every handshake that failed');
  assert.ok(
      x.sidecar.stderr.split('\n').filter((line) => line.includes('listener `local`')).length < 100,
      'logged at a limited rate');
  await until(
      async () =>
          (await callTls(x.port, 'GET', '/api/x', {ca: x.ca, token: x.jordan.token})).status ===
          200,
      'an answer, when the handshake is in time');
});

scenario('64 MiB each way keep their bytes', async (s) => {
  const data = randomBytes(64 << 20);
  const handler = async (request, response) => {
    const hash = createHash('sha256');
    for await (const part of request) hash.update(part);
    response.writeHead(200, {'Content-Length': data.length, 'x-digest': hash.digest('hex')});
    response.end(data);
  };
  handler.streams = true;
  const x = await start(s, {handler});
  const options = {
    host: '127.0.0.1',
    port: x.port,
    servername: 'localhost',
    ca: readFileSync(x.ca.cert),
    path: '/api/x',
    method: 'POST',
    agent: false,
    headers: {
      'Host': `localhost:${x.port}`,
      'Authorization': `Bearer ${x.jordan.token}`,
      'Content-Length': data.length
    }
  };
  const [theirs, ours] = await within(
      new Promise((resolve, reject) => {
        const request = https.request(options, async (response) => {
          const hash = createHash('sha256');
          for await (const part of response) hash.update(part);
          resolve([response.headers['x-digest'], hash.digest('hex')]);
        });
        request.on('error', reject);
        request.end(data);
      }),
      'the whole answer', 120_000);
  assert.equal(theirs, digest(data));
  assert.equal(ours, digest(data));
});

scenario('events come as they happen, and a client that leaves is noticed', async (s) => {
  let stream;
  let gone = false;
  const handler = (request, response) => {
    response.writeHead(200, {'Content-Type': 'text/event-stream'});
    response.write('data: 0\n\n');
    response.on('close', () => {
      gone = true;
    });
    stream = response;
  };
  handler.streams = true;
  const x = await start(s, {handler});
  const socket = await open(x);
  socket.write(
      `GET /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${x.jordan.token}\r\n\r\n`);
  let text = '';
  socket.on('data', (part) => {
    text += part;
  });
  for (let i = 1; i < 20; ++i) {
    await until(() => text.includes(`data: ${i - 1}\n`), `event ${i - 1}`);
    stream.write(`data: ${i}\n\n`);
  }
  socket.destroy();
  await until(() => gone, 'the end at the upstream');
});

scenario('a client that does not read holds its upstream back', async (s) => {
  let sent = 0;
  const piece = Buffer.alloc(64 << 10);
  const handler = (request, response) => {
    response.writeHead(200);
    const more = () => {
      while (sent < (256 << 20)) {
        sent += piece.length;
        if (!response.write(piece)) return response.once('drain', more);
      }
      response.end();
    };
    more();
  };
  handler.streams = true;
  const x = await start(s, {handler});
  const socket = await open(x);
  socket.pause();
  socket.write(
      `GET /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${x.jordan.token}\r\n\r\n`);
  let last = -1;
  await until(async () => {
    const stalled = sent > 0 && sent === last;
    last = sent;
    await new Promise((done) => setTimeout(done, 300));
    return stalled;
  }, 'the upstream to be held back');
  assert.ok(sent < (64 << 20), `${sent} bytes went into buffers`);
  let got = 0;
  const whole = new Promise((done) => socket.on('data', (part) => {
    got += part.length;
    if (got > (256 << 20)) done();
  }));
  socket.resume();
  await within(whole, 'the rest', 120_000);
});

const program = `
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {StreamableHTTPClientTransport as Http} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
const [url, token] = process.argv.slice(1);
const client = new Client({name: 'e2e', version: '1'});
await client.connect(new Http(new URL(url), {requestInit: {headers: {Authorization: 'Bearer ' + token}}}));
const {tools} = await client.listTools();
const {content} = await client.callTool({name: 'echo', arguments: {message: 'hi'}});
console.log(JSON.stringify({tools: tools.map((tool) => tool.name), text: content[0].text}));
await client.close();
`;

scenario('an official MCP client over https', async (s) => {
  const everything = await s.everything();
  const x = await start(s, {
    rules: '    allow:\n      - {id: some, upstream: everything, tools: echo}\n',
    upstreams: {everything: {mcp: everything.url}}
  });
  const done = await run(
      process.execPath,
      [
        '--input-type=module', '-e', program, `https://localhost:${x.port}/everything`,
        x.jordan.token
      ],
      {cwd: `${root}/tests`, env: {NODE_EXTRA_CA_CERTS: x.ca.cert}});
  assert.equal(done.code, 0, done.err);
  assert.deepEqual(JSON.parse(done.out), {tools: ['echo'], text: 'Echo: hi'});
});
