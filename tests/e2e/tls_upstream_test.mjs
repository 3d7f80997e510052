// Upstreams behind https: whom reeve trusts, what it says when it does not, sessions that are
// resumed, and streams that are cut.
import {createHash, randomBytes} from 'node:crypto';
import {chmodSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import tls from 'node:tls';

import {authority, certificate, server, svid, tlsOrigin} from './certificates.mjs';
import {agentEntry, allowAll, assert, call, freePort, policyOf, scenario, until} from './lib.mjs';

const jordan = agentEntry('jordan');

async function sidecarFor(s, folder, upstreams, config = {}) {
  const names = Object.keys(upstreams).join(', ');
  return s.sidecar({
    folder,
    policy: policyOf([jordan], `    allow:\n      - {upstream: [${names}]}\n`),
    upstreams,
    config: {threads: 1, ...config}
  });
}
const ask = (sidecar, name, method = 'GET', options = {}) =>
    sidecar.call(method, `/${name}/x`, {token: jordan.token, ...options});

scenario('an upstream is who its certificate says, or is not used', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const other = authority(folder, 'other');
  const middle = authority(folder, 'middle', {by: ca});
  const good = await tlsOrigin(s, server(folder, 'good', ca));
  const named = await tlsOrigin(s, server(folder, 'named', ca, 'DNS:billing.internal'));
  const chained =
      await tlsOrigin(s, server(folder, 'chained', middle, undefined, {chain: middle.pem}));
  const url = (origin, host = 'localhost') => `https://${host}:${origin.port}`;
  const tlsOf = (more = {}) => ({tls: {ca: ca.cert, ...more}});
  const bad = {
    expired: server(folder, 'expired', ca, undefined, {from: -10, until: -1}),
    future: server(folder, 'future', ca, undefined, {from: 2, until: 9}),
    foreign: server(folder, 'foreign', other),
    selfsigned: server(folder, 'selfsigned', undefined),
    unchained: server(folder, 'unchained', middle),
    othername: server(folder, 'othername', ca, 'DNS:other.internal'),
    commonname: certificate(folder, 'commonname', {by: ca, subject: '/CN=localhost'}),
    forclients: svid(folder, 'forclients', ca, 'DNS:localhost', {purpose: 'clientAuth'}),
  };
  const upstreams = {
    good: {http: url(good), ...tlsOf()},
    address: {http: url(good, '127.0.0.1'), ...tlsOf()},
    chained: {http: url(chained), ...tlsOf()},
    named: {http: url(named), ...tlsOf({server_name: 'billing.internal'})},
    wrongname: {http: url(named), ...tlsOf()},
    wrongaddress: {http: url(named, '127.0.0.1'), ...tlsOf()},
    system: {http: url(good)},
  };
  const origins = {};
  for (const [name, pair] of Object.entries(bad)) {
    origins[name] = await tlsOrigin(s, pair);
    upstreams[name] = {http: url(origins[name]), ...tlsOf()};
  }
  const sidecar = await sidecarFor(s, folder, upstreams);
  for (const name of ['good', 'address', 'chained', 'named']) {
    assert.equal((await ask(sidecar, name)).status, 200, `${name}: ${sidecar.stderr.slice(-300)}`);
  }
  assert.deepEqual([...new Set(good.names)], ['localhost', false], 'SNI for names alone');
  assert.deepEqual(named.names, ['billing.internal']);
  assert.equal(good.requests[0].headers.host, `localhost:${good.port}`);
  const reasons = {
    expired: /certificate has expired; renew it/,
    future: /does not verify: certificate is not yet valid/,
    foreign: /a CA that is not trusted .*name its CA with `tls: \{ca: PATH\}`/,
    selfsigned: /a CA that is not trusted/,
    unchained: /a CA that is not trusted .*intermediate/,
    othername: /is not for `localhost`; correct the URL.*server_name/,
    commonname: /is not for `localhost`/,
    forclients: /does not verify: /,
    wrongname: /is not for `localhost`/,
    wrongaddress: /is not for `127\.0\.0\.1`/,
    system: /a CA that is not trusted/,
  };
  for (const [name, reason] of Object.entries(reasons)) {
    const answer = await ask(sidecar, name);
    assert.equal(answer.status, 502, name);
    assert.doesNotMatch(answer.body, /certificate|localhost/, 'not for the agent to know');
    const line = await until(
        () => sidecar.stderr.split('\n').find((each) => each.includes(`upstream \`${name}\``)),
        name);
    assert.match(line, reason);
    const [{outcome}] = await sidecar.records({upstream: name});
    assert.equal(outcome.error, 'tls', name);
    assert.equal(
        await sidecar.metric('reeve_upstream_errors_total', {upstream: name, kind: 'tls'}), 1);
    assert.equal(origins[name]?.requests.length ?? 0, 0, name);
  }
});

scenario('the system\'s CAs are trusted without `ca`', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const origin = await tlsOrigin(s, server(folder, 'server', ca));
  const wiring = await s.configure({
    folder,
    policy: policyOf([jordan], allowAll('api')),
    upstreams: {api: {http: `https://localhost:${origin.port}`}}
  });
  wiring.env.SSL_CERT_FILE = ca.cert;
  const sidecar = await s.launch(wiring).ready();
  assert.equal((await ask(sidecar, 'api')).status, 200, sidecar.stderr);
});

scenario('a client certificate is shown, and sessions are resumed', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const pair = server(folder, 'server', ca);
  const client = svid(folder, 'client', ca, 'URI:spiffe://acme.example/reeve');
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const seen = [];
    const origin = await tlsOrigin(s, pair, {
      ca: readFileSync(ca.cert),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: version,
      maxVersion: version,
      handler: (request, response) => {
        seen.push(request.socket.getPeerCertificate().subjectaltname);
        response.writeHead(200, {'Connection': 'close'});
        response.end('ok');
      }
    });
    const url = `https://localhost:${origin.port}`;
    const sidecar = await sidecarFor(s, s.folder(), {
      api: {http: url, tls: {ca: ca.cert, cert: client.cert, key: client.key}},
      bare: {http: url, tls: {ca: ca.cert}}
    });
    for (let i = 0; i < 6; ++i) assert.equal((await ask(sidecar, 'api')).status, 200);
    assert.equal(origin.connections, 6);
    // Of TLS 1.3 Node grants two tickets, of one use each, and none on resumption.
    assert.equal(origin.resumed, version === 'TLSv1.2' ? 5 : 4, version);
    assert.ok(seen.every((each) => each === 'URI:spiffe://acme.example/reeve'));
    assert.equal((await ask(sidecar, 'bare')).status, 502, 'without a certificate');
    assert.equal(origin.requests.length, 6);
  }
});

scenario('tickets that come late do not cost a kept connection', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const pair = server(folder, 'server', ca);
  // OpenSSL's own server: a key update while the connection idles is a record that is no data,
  // like a late ticket.
  let latest;
  const origin = await tlsOrigin(s, pair);
  origin.server.on('secureConnection', (socket) => {
    latest = socket;
  });
  const sidecar = await sidecarFor(
      s, folder, {api: {http: `https://localhost:${origin.port}`, tls: {ca: ca.cert}}});
  for (let i = 0; i < 5; ++i) assert.equal((await ask(sidecar, 'api')).status, 200);
  assert.equal(origin.connections, 1, 'one connection for all');
  // Data that nobody asked for is another thing.
  latest.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged');
  await until(async () => {
    const answer = await ask(sidecar, 'api');
    assert.equal(answer.body, 'ok');
    return origin.connections === 2;
  }, 'another connection');
});

scenario('an answer that ends without close_notify is no whole answer', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const pair = server(folder, 'server', ca);
  const serve = async (end) => {
    const listener =
        tls.createServer({cert: readFileSync(pair.cert), key: readFileSync(pair.key)}, (socket) => {
          socket.on('error', () => {});
          socket.once('data', () => {
            socket.write(
                'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf of it', () => end(socket));
          });
        });
    await new Promise((done) => listener.listen(0, '127.0.0.1', done));
    s.defer(() => listener.close());
    return `https://localhost:${listener.address().port}`;
  };
  // `end` sends close_notify; ending the TCP socket underneath does not.
  const whole = await serve((socket) => socket.end());
  const cut = await serve((socket) => socket._handle.close() ?? socket.destroy());
  const sidecar = await sidecarFor(
      s, folder, {whole: {http: whole, tls: {ca: ca.cert}}, cut: {http: cut, tls: {ca: ca.cert}}});
  const answer = await ask(sidecar, 'whole');
  assert.equal(answer.body, 'half of it');
  await assert.rejects(async () => {
    const broken = await ask(sidecar, 'cut');
    if (broken.status === 502) throw new Error('refused');
  });
  const [{outcome}] = await sidecar.records({upstream: 'cut'});
  assert.equal(outcome.error, 'closed');
});

scenario('64 MiB each way, events and a client that leaves', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const data = randomBytes(64 << 20);
  let stream;
  let gone = false;
  const origin = await tlsOrigin(s, server(folder, 'server', ca), {
    handler: async (request, response) => {
      if (request.url.endsWith('/events')) {
        response.writeHead(200, {'Content-Type': 'text/event-stream'});
        response.write('data: 0\n\n');
        response.on('close', () => {
          gone = true;
        });
        stream = response;
        return;
      }
      const hash = createHash('sha256');
      for await (const part of request) hash.update(part);
      response.writeHead(200, {'Content-Length': data.length, 'x-digest': hash.digest('hex')});
      response.end(data);
    }
  });
  const sidecar = await sidecarFor(
      s, folder, {api: {http: `https://localhost:${origin.port}`, tls: {ca: ca.cert}}});
  const answer =
      await call(sidecar.port, 'POST', '/api/x', {token: jordan.token, body: data, stream: true});
  const hash = createHash('sha256');
  for await (const part of answer.response) hash.update(part);
  const expected = createHash('sha256').update(data).digest('hex');
  assert.equal(answer.headers['x-digest'], expected);
  assert.equal(hash.digest('hex'), expected);

  const events =
      await call(sidecar.port, 'GET', '/api/events', {token: jordan.token, stream: true});
  let text = '';
  events.response.on('data', (part) => {
    text += part;
  });
  events.response.on('error', () => {});
  for (let i = 1; i < 20; ++i) {
    await until(() => text.includes(`data: ${i - 1}\n`), `event ${i - 1}`);
    stream.write(`data: ${i}\n\n`);
  }
  events.request.destroy();
  await until(() => gone, 'the end at the upstream');
});

scenario('an upstream that stalls in its handshake is given up in time', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const {default: net} = await import('node:net');
  const mute = net.createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise((done) => mute.listen(0, '127.0.0.1', done));
  s.defer(() => mute.close());
  const sidecar = await sidecarFor(s, folder, {
    api: {http: `https://localhost:${mute.address().port}`, timeout: '300ms', tls: {ca: ca.cert}}
  });
  assert.equal((await ask(sidecar, 'api')).status, 504);
});

scenario('nginx behind https', async (s) => {
  const folder = s.folder();
  chmodSync(folder, 0o755);
  const ca = authority(folder, 'ca');
  const pair = server(folder, 'server', ca);
  const port = await freePort();
  writeFileSync(join(folder, 'page'), 'from nginx');
  writeFileSync(join(folder, 'nginx.conf'), `
daemon off; pid ${folder}/pid; error_log ${folder}/log; user root;
events {}
http { access_log off; client_body_temp_path ${folder}/t1; proxy_temp_path ${folder}/t2;
  fastcgi_temp_path ${folder}/t3; uwsgi_temp_path ${folder}/t4; scgi_temp_path ${folder}/t5;
  server { listen 127.0.0.1:${port} ssl; server_name localhost;
    ssl_certificate ${pair.cert}; ssl_certificate_key ${pair.key};
    location / { root ${folder}; try_files /page =404; } } }
`);
  const {spawn} = await import('node:child_process');
  const nginx = spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-p', folder], {stdio: 'ignore'});
  s.defer(() => nginx.kill('SIGTERM'));
  const sidecar =
      await sidecarFor(s, folder, {api: {http: `https://localhost:${port}`, tls: {ca: ca.cert}}});
  await until(async () => (await ask(sidecar, 'api')).body === 'from nginx', 'nginx');
});
