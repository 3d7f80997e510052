// Certificates that change while they are used: taken over by new connections without a restart, or
// refused with the old ones staying. And those that a sidecar must not even start with.
import {copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import tls from 'node:tls';

import {authority, callTls, openssl, revocationList, server, svid, tlsOrigin} from './certificates.mjs';
import {agentEntry, allowAll, assert, policyOf, scenario, until, within} from './lib.mjs';

const robin = agentEntry('robin');

async function start(s, folder, tlsFiles, {agents = [robin], upstreams, launch = true} = {}) {
  const origin = await s.origin();
  const wiring = await s.configure({
    folder,
    policy: policyOf(agents, allowAll('api')),
    upstreams: upstreams ?? {api: {http: origin.url()}},
    listen: (port) => [{name: 'local', address: `127.0.0.1:${port}`, tls: tlsFiles}],
  });
  const sidecar = s.launch(wiring);
  return launch ? sidecar.ready() : sidecar;
}

// The serial number of the certificate that a new connection is shown.
const shown = (port) => within(
    new Promise((resolve, reject) => {
      const socket = tls.connect({host: '127.0.0.1', port, rejectUnauthorized: false}, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      });
      socket.on('error', reject);
    }),
    'a certificate');
const serialOf = (folder, pair) =>
    openssl(folder, 'x509', '-in', pair.cert, '-noout', '-serial').trim().slice('serial='.length);

scenario('a listener\'s new certificate, behind links like a ConfigMap\'s', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const first = server(folder, 'first', ca);
  const second = server(folder, 'second', ca);
  const version = (name, cert, key) => {
    mkdirSync(join(folder, name));
    copyFileSync(cert, join(folder, name, 'tls.crt'));
    copyFileSync(key, join(folder, name, 'tls.key'));
    symlinkSync(name, join(folder, '..data.new'));
    renameSync(join(folder, '..data.new'), join(folder, '..data'));
  };
  version('..v1', first.cert, first.key);
  for (const name of ['tls.crt', 'tls.key']) symlinkSync(`..data/${name}`, join(folder, name));
  const sidecar = await start(s, folder, {cert: 'tls.crt', key: 'tls.key', client_ca: ca.cert});
  const {default: https} = await import('node:https');
  const kept = new https.Agent({keepAlive: true, maxSockets: 1});
  const ask = () => callTls(sidecar.port, 'GET', '/api/x', {ca, token: robin.token, agent: kept});
  assert.equal((await ask()).status, 200);
  assert.equal(await shown(sidecar.port), serialOf(folder, first));
  version('..v2', second.cert, second.key);
  await until(
      async () => await shown(sidecar.port) === serialOf(folder, second), 'the second certificate');
  assert.equal((await ask()).status, 200, 'a connection that was open goes on');
  assert.equal(await sidecar.metric('reeve_tls_reloads_total', {result: 'ok'}), 1);

  version('..v3', first.cert, second.key);
  await until(
      async () => await sidecar.metric('reeve_tls_reloads_total', {result: 'error'}) === 1,
      'a pair that does not match');
  await until(
      () =>
          /reeve\.yaml:\d+:\d+: error: the key in `.*tls\.key` is not that of/.test(sidecar.stderr),
      'the reason in the log');
  assert.equal(await shown(sidecar.port), serialOf(folder, second), 'the old one stays');
  version('..v4', first.cert, first.key);
  await until(async () => await shown(sidecar.port) === serialOf(folder, first), 'the first again');
  writeFileSync(join(folder, '..data', 'tls.key'), readFileSync(first.key, 'utf8').slice(0, 60));
  await until(
      async () => await sidecar.metric('reeve_tls_reloads_total', {result: 'error'}) === 2,
      'half a key');
  assert.equal(
      (await callTls(sidecar.port, 'GET', '/api/x', {ca, token: robin.token})).status, 200);
  assert.ok(!sidecar.stderr.includes(readFileSync(first.key, 'utf8').split('\n')[1].slice(0, 20)));
  kept.destroy();
});

scenario('new client CAs and revocations end old sessions, too', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const pair = server(folder, 'server', ca);
  const jordan = agentEntry('jordan', {identity: 'spiffe: spiffe://acme.example/jordan'});
  const client = svid(folder, 'jordan', ca, 'URI:spiffe://acme.example/jordan');
  const crl = revocationList(folder, 'list', ca, []);
  const sidecar = await start(
      s, folder, {cert: pair.cert, key: pair.key, client_ca: ca.cert, client_crl: crl},
      {agents: [jordan]});
  const {default: https} = await import('node:https');
  const agent = new https.Agent({maxCachedSessions: 10, keepAlive: false});
  const ask = () => callTls(sidecar.port, 'GET', '/api/x', {ca, client, agent});
  assert.equal((await ask()).status, 200);
  assert.equal((await ask()).reused, true);
  copyFileSync(revocationList(folder, 'list2', ca, [client]), crl);
  sidecar.signal('SIGHUP');
  await until(async () => (await ask()).error, 'the revoked one to be refused');
});

scenario('an upstream\'s new CA and client certificate', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const other = authority(folder, 'other');
  const origin = await tlsOrigin(s, server(folder, 'server', other));
  const trusted = join(folder, 'trusted.pem');
  copyFileSync(ca.cert, trusted);
  const pair = server(folder, 'listener', ca);
  const sidecar = await start(
      s, folder, {cert: pair.cert, key: pair.key},
      {upstreams: {api: {http: `https://localhost:${origin.port}`, tls: {ca: 'trusted.pem'}}}});
  const ask = () => callTls(sidecar.port, 'GET', '/api/x', {ca, token: robin.token});
  assert.equal((await ask()).status, 502);
  copyFileSync(other.cert, `${trusted}.new`);
  renameSync(`${trusted}.new`, trusted);
  await until(async () => (await ask()).status === 200, 'the other CA to be trusted');
});

scenario('certificates that a sidecar must not start with', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const good = server(folder, 'good', ca);
  const expired = server(folder, 'expired', ca, undefined, {from: -9, until: -1});
  const future = server(folder, 'future', ca, undefined, {from: 3, until: 9});
  const weak =
      server(folder, 'weak', ca, undefined, {key: ['rsa', '-pkeyopt', 'rsa_keygen_bits:1024']});
  const locked = join(folder, 'locked.key');
  openssl(
      folder, 'pkey', '-in', good.key, '-aes256', '-passout', 'pass:secret-passphrase', '-out',
      locked);
  const broken = join(folder, 'broken.pem');
  writeFileSync(broken, good.pem.replace(/[A-Za-z]{20}\n/, 'AAAA\n'));
  const place = String.raw`reeve\.yaml:\d+:\d+: error: `;
  const cases = [
    [{cert: 'none.pem', key: good.key}, /`.*none\.pem`: there is no such file; correct the path/],
    [{cert: folder, key: good.key}, /no regular file/],
    [{cert: good.key, key: good.key}, /holds no certificate in PEM form; name the file that does/],
    [{cert: good.cert, key: good.cert}, /holds no private key in PEM form/],
    [{cert: good.cert, key: locked}, /is encrypted.*write it decrypted, with `openssl pkey`/],
    [{cert: good.cert, key: ca.key}, /is not that of the certificate in `.*`; name a pair/],
    [{cert: expired.cert, key: expired.key}, /expired at \d{4}-\d\d-\d\dT.*; renew it/],
    [{cert: future.cert, key: future.key}, /is not valid before \d{4}-.*correct the clock/],
    [
      {cert: weak.cert, key: weak.key}, /cannot be used: ee key too small; make one with a stronger/
    ],
    [{cert: broken, key: good.key}, /cannot be read; write the file anew/],
    [{cert: good.cert, key: good.key, client_ca: good.key}, /holds no certificate/],
    [
      {cert: good.cert, key: good.key, client_ca: ca.cert, client_crl: ca.cert},
      /holds no revocation list/
    ],
  ];
  for (const [files, message] of cases) {
    const sidecar = await start(s, s.folder(), files, {launch: false});
    const exit = await within(sidecar.ended, 'the end of a sidecar that cannot start');
    assert.equal(exit.code, 2, sidecar.stderr);
    assert.match(sidecar.stderr, new RegExp(place + '.*' + message.source), JSON.stringify(files));
    assert.doesNotMatch(sidecar.stderr, /secret-passphrase|PRIVATE KEY/);
  }
  const upstream = await start(s, s.folder(), {cert: good.cert, key: good.key}, {
    launch: false,
    upstreams:
        {api: {http: 'https://localhost:1', tls: {ca: ca.cert, cert: good.cert, key: ca.key}}}
  });
  await within(upstream.ended, 'the end');
  assert.match(upstream.stderr, /error: the key in `.*ca\.key` is not that of/);
});
