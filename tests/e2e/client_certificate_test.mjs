// Agents that prove themselves by a certificate: good ones get in, every hostile one is refused and
// nothing of it reaches the upstream.
import {readFileSync} from 'node:fs';

import {authority, callTls, certificate, revocationList, server, svid} from './certificates.mjs';
import {agentEntry, allowAll, assert, newToken, policyOf, scenario} from './lib.mjs';

const id = 'spiffe://acme.example/agents/jordan';
const weak = 'DEFAULT@SECLEVEL=0';  // so that Node sends what it would not make

async function start(s, folder, tls, agents) {
  const origin = await s.origin();
  const sidecar = await s.sidecar({
    folder,
    policy: policyOf(agents, allowAll('api')),
    upstreams: {api: {http: origin.url()}},
    listen: (port) => [{name: 'local', address: `127.0.0.1:${port}`, tls}],
  });
  return {origin, sidecar};
}
const named = (name, spiffe = `spiffe://acme.example/agents/${name}`) =>
    agentEntry(name, {identity: `spiffe: ${spiffe}`});

scenario('a client certificate proves its agent, and every hostile one is refused', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const other = authority(folder, 'other');
  const middle = authority(folder, 'middle', {by: ca});
  const narrow = authority(folder, 'narrow', {
    by: ca,
    extensions: [
      'basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign',
      'nameConstraints=critical,permitted;URI:other.example'
    ]
  });
  const pair = server(folder, 'server', ca);
  const uri = (value) => `URI:${value}`;
  const good = {
    'of the root': svid(folder, 'good', ca, uri(id)),
    'of an intermediate': svid(folder, 'good2', middle, uri(id), {chain: middle.pem}),
    'with a DNS name beside': svid(folder, 'good3', ca, `${uri(id)},DNS:a.example`),
    'for clients': svid(folder, 'good4', ca, uri(id), {purpose: 'clientAuth,serverAuth'}),
    'with an RSA key':
        svid(folder, 'good5', ca, uri(id), {key: ['rsa', '-pkeyopt', 'rsa_keygen_bits:2048']}),
  };
  const revoked = svid(folder, 'revoked', ca, uri(id));
  const hostile = {
    'two URIs': svid(folder, 'h1', ca, `${uri(id)},${uri('spiffe://acme.example/agents/robin')}`),
    'a CA as leaf': svid(folder, 'h2', ca, uri(id), {
      extensions: [
        'basicConstraints=critical,CA:TRUE', 'keyUsage=critical,digitalSignature',
        `subjectAltName=${uri(id)}`
      ]
    }),
    'of another CA': svid(folder, 'h3', other, uri(id)),
    'no path': svid(folder, 'h4', ca, uri('spiffe://acme.example')),
    'expired': svid(folder, 'h5', ca, uri(id), {from: -10, until: -1}),
    'not yet valid': svid(folder, 'h6', ca, uri(id), {from: 2, until: 10}),
    revoked,
    'key usage without digitalSignature': svid(folder, 'h8', ca, uri(id), {usage: 'keyAgreement'}),
    'key usage keyCertSign':
        svid(folder, 'h9', ca, uri(id), {usage: 'digitalSignature,keyCertSign'}),
    'key usage cRLSign': svid(folder, 'h10', ca, uri(id), {usage: 'digitalSignature,cRLSign'}),
    'no key usage': svid(
        folder, 'h11', ca, uri(id),
        {extensions: ['basicConstraints=CA:FALSE', `subjectAltName=${uri(id)}`]}),
    'only a DNS name': svid(folder, 'h12', ca, 'DNS:jordan.acme.example'),
    'only a common name': svid(folder, 'h13', ca, null, {subject: `/CN=jordan`}),
    'the ID as common name':
        svid(folder, 'h14', ca, null, {subject: `/CN=spiffe:\\/\\/acme.example\\/agents\\/jordan`}),
    'self-signed': svid(folder, 'h15', undefined, uri(id)),
    'the intermediate missing': svid(folder, 'h16', middle, uri(id)),
    'outside of its CA\'s name constraints':
        svid(folder, 'h17', narrow, uri(id), {chain: narrow.pem}),
    'for servers only': svid(folder, 'h18', ca, uri(id), {purpose: 'serverAuth'}),
    'an https URI': svid(folder, 'h19', ca, uri('https://acme.example/agents/jordan')),
    'upper case in the trust domain':
        svid(folder, 'h20', ca, uri('spiffe://Acme.example/agents/jordan')),
    'upper case in the scheme': svid(folder, 'h21', ca, uri('SPIFFE://acme.example/agents/jordan')),
    'a port': svid(folder, 'h22', ca, uri('spiffe://acme.example:443/agents/jordan')),
    'a user': svid(folder, 'h23', ca, uri('spiffe://u@acme.example/agents/jordan')),
    'a query': svid(folder, 'h24', ca, uri('spiffe://acme.example/agents/jordan?a=b')),
    'a fragment': svid(folder, 'h25', ca, uri('spiffe://acme.example/agents/jordan#a')),
    'a slash at the end': svid(folder, 'h26', ca, uri('spiffe://acme.example/agents/jordan/')),
    'a dot segment': svid(folder, 'h27', ca, uri('spiffe://acme.example/x/../agents/jordan')),
    'an escape': svid(folder, 'h28', ca, uri('spiffe://acme.example/agents/%6aordan')),
    'a SHA-1 signature': svid(folder, 'h29', ca, uri(id), {digest: 'sha1'}),
    'a short key':
        svid(folder, 'h30', ca, uri(id), {key: ['rsa', '-pkeyopt', 'rsa_keygen_bits:1024']}),
    'an agent\'s of another path': svid(folder, 'h31', ca, uri('spiffe://acme.example/agents')),
    'nobody\'s': svid(folder, 'h32', ca, uri('spiffe://acme.example/agents/nobody')),
  };
  const crl = revocationList(folder, 'list', ca, [revoked]);
  const middleCrl = revocationList(folder, 'list2', middle, []);
  const narrowCrl = revocationList(folder, 'list3', narrow, []);
  const {writeFileSync} = await import('node:fs');
  writeFileSync(crl, [crl, middleCrl, narrowCrl].map((each) => readFileSync(each)).join(''));

  const robin = agentEntry('robin');
  const {origin, sidecar} = await start(
      s, folder, {cert: pair.cert, key: pair.key, client_ca: ca.cert, client_crl: crl},
      [named('jordan'), robin]);
  const ask = (options) => callTls(
      sidecar.port, 'GET', '/api/x', {ca, ciphers: weak, servername: 'localhost', ...options});

  for (const [name, client] of Object.entries(good)) {
    const answer = await ask({client});
    assert.equal(answer.status, 200, `${name}: ${answer.error ?? answer.body}`);
  }
  assert.equal((await ask({token: robin.token})).status, 200, 'a token instead');
  assert.equal((await ask({})).status, 401, 'nothing');
  const before = origin.requests.length;
  for (const [name, client] of Object.entries(hostile)) {
    const answer = await ask({client});
    assert.ok(
        answer.error || answer.status === 401,
        `${name}: ${answer.status} ${answer.body ?? answer.error}`);
    // A token does not help what is presented beside it.
    const withToken = await ask({client, token: robin.token});
    assert.ok(
        withToken.error || withToken.status === 401, `${name} and a token: ${withToken.status}`);
  }
  assert.equal(
      (await ask({client: good['of the root'], token: robin.token})).status, 401, 'two agents');
  assert.equal(
      (await ask({client: good['of the root'], token: newToken()})).status, 401, 'unknown token');
  assert.equal(origin.requests.length, before, 'nothing of them reached the upstream');
  assert.ok(Object.keys(hostile).length >= 20);
  assert.ok(await sidecar.metric('reeve_tls_handshake_errors_total') > 0);
  const [{decision}] = await sidecar.records({agent: 'jordan'}, 5);
  assert.equal(decision.decision, 'allow');
});

scenario('a CA vouches for its own trust domain alone', async (s) => {
  const folder = s.folder();
  const acme = authority(folder, 'acme');
  const globex = authority(folder, 'globex');
  const pair = server(folder, 'server', acme);
  const {origin, sidecar} = await start(
      s, folder, {
        cert: pair.cert,
        key: pair.key,
        client_ca: {'acme.example': acme.cert, 'globex.example': globex.cert}
      },
      [named('jordan'), named('robin', 'spiffe://globex.example/robin')]);
  const ask = (client) => callTls(sidecar.port, 'GET', '/api/x', {ca: acme, client});
  const uri = (value) => `URI:${value}`;
  const robin = 'spiffe://globex.example/robin';
  assert.equal((await ask(svid(folder, 'a', acme, uri(id)))).status, 200);
  assert.equal((await ask(svid(folder, 'b', globex, uri(robin)))).status, 200);
  assert.ok((await ask(svid(folder, 'c', globex, uri(id)))).error, 'of the other CA');
  assert.ok((await ask(svid(folder, 'd', acme, uri(robin)))).error, 'of the other CA');
  assert.equal(origin.requests.length, 2);
});

scenario('a session that is resumed is still the same agent\'s', async (s) => {
  const folder = s.folder();
  const ca = authority(folder, 'ca');
  const pair = server(folder, 'server', ca);
  const {sidecar} = await start(
      s, folder, {cert: pair.cert, key: pair.key, client_ca: ca.cert},
      [named('jordan'), named('robin')]);
  const jordan = certificate(
      folder, 'jordan',
      {by: ca, extensions: ['keyUsage=critical,digitalSignature', `subjectAltName=URI:${id}`]});
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const {default: https} = await import('node:https');
    const agent = new https.Agent({maxCachedSessions: 10, keepAlive: false});
    const ask = () => callTls(
        sidecar.port, 'GET', '/api/x',
        {ca, client: jordan, agent, minVersion: version, maxVersion: version});
    const first = await ask();
    assert.equal(first.status, 200);
    assert.equal(first.reused, false);
    const second = await ask();
    assert.equal(second.status, 200);
    assert.equal(second.reused, true, version);
    assert.equal(second.protocol, version);
  }
  await sidecar.records({agent: 'jordan', decision: 'allow'}, 4);
});
