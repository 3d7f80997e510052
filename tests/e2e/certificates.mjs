// Certificates of every kind, made by the openssl command: a CA, leaves of it, and hostile ones.
import {spawnSync} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import https from 'node:https';
import {join} from 'node:path';

import {ok} from './lib.mjs';
import {assert, within} from './wire.mjs';

export function openssl(folder, ...args) {
  const done = spawnSync('openssl', args, {cwd: folder, encoding: 'utf8'});
  assert.equal(done.status, 0, `openssl ${args.join(' ')}\n${done.stderr}`);
  return done.stdout;
}


// Writes NAME.pem (with `chain` behind it) and NAME.key. `by` is {cert, key} of the issuer, itself
// without one; `extensions` are lines of x509v3_config(5). Days may be negative.
export function certificate(folder, name, {
  by,
  subject = `/O=Testers/CN=${name}`,
  extensions = [],
  days = 30,
  from,
  until,
  key = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  digest = 'sha256',
  chain = ''
} = {}) {
  const path = (end) => join(folder, `${name}.${end}`);
  openssl(folder, 'genpkey', '-algorithm', ...key, '-out', path('key'));
  openssl(folder, 'req', '-new', '-key', path('key'), '-subj', subject, '-out', path('csr'));
  writeFileSync(path('ext'), ['[e]', ...extensions].join('\n').replaceAll('#', '\\#'));
  writeFileSync(path('index'), '');
  // `ca`, not `x509`: it takes any dates.
  writeFileSync(
      path('cnf'),
      `[c]\ndatabase=${path('index')}\nnew_certs_dir=${folder}\npolicy=p\n` +
          'rand_serial=yes\ndefault_md=sha256\nunique_subject=no\n[p]\nO=optional\nCN=optional\n');
  const day = (offset) => new Date(Date.now() + offset * 86_400_000)
                              .toISOString()
                              .replace(/[-:T]/g, '')
                              .replace(/\.\d+Z/, 'Z');
  const issuer =
      by ? ['-cert', by.cert, '-keyfile', by.key] : ['-selfsign', '-keyfile', path('key')];
  openssl(
      folder, 'ca', '-batch', '-notext', '-config', path('cnf'), '-name', 'c', '-md', digest, '-in',
      path('csr'), '-out', path('pem'), '-startdate', day(from ?? -1), '-enddate',
      day(until ?? days), '-extfile', path('ext'), '-extensions', 'e', ...issuer);
  const own = readFileSync(path('pem'), 'utf8');
  writeFileSync(path('pem'), own + chain);
  return {cert: path('pem'), key: path('key'), pem: own};
}

const caExtensions = [
  'basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign',
  'subjectKeyIdentifier=hash'
];
export const authority = (folder, name, options = {}) =>
    certificate(folder, name, {...options, extensions: options.extensions ?? caExtensions});

export const server = (folder, name, by, names = 'DNS:localhost,IP:127.0.0.1', options = {}) =>
    certificate(folder, name, {
      by,
      extensions: [
        'basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature',
        'extendedKeyUsage=serverAuth', `subjectAltName=${names}`
      ],
      ...options
    });

// An X.509-SVID; `names` is the value of subjectAltName.
export const svid = (folder, name, by, names, options = {}) => certificate(folder, name, {
  by,
  extensions: [
    'basicConstraints=critical,CA:FALSE',
    `keyUsage=critical,${options.usage ?? 'digitalSignature'}`,
    ...(options.purpose ? [`extendedKeyUsage=${options.purpose}`] : []),
    ...(names ? [`subjectAltName=${names}`] : [])
  ],
  ...options
});

// A revocation list of the CA that names these certificates.
export function revocationList(folder, name, by, revoked) {
  const path = (end) => join(folder, `${name}.${end}`);
  writeFileSync(path('index'), '');
  writeFileSync(path('number'), '01\n');
  writeFileSync(
      path('cnf'),
      `[c]\ndatabase=${path('index')}\ncrlnumber=${path('number')}\ndefault_md=sha256\n` +
          'default_crl_days=30\npolicy=p\n[p]\nCN=optional\n');
  const ca = ['ca', '-config', path('cnf'), '-name', 'c', '-cert', by.cert, '-keyfile', by.key];
  for (const each of revoked) openssl(folder, ...ca, '-revoke', each.cert);
  openssl(folder, ...ca, '-gencrl', '-out', path('crl'));
  return path('crl');
}

// One HTTPS exchange: {status, headers, body, json, reused, error}. Errors are given back.
export function callTls(
    port, method, path,
    {ca, client, token, headers = {}, body, servername = 'localhost', agent = false, ...more} =
        {}) {
  const exchange = new Promise((resolve) => {
    const request = https.request(
        {
          host: '127.0.0.1',
          port,
          method,
          path,
          agent,
          servername,
          headers: {
            Host: `localhost:${port}`,
            ...headers,
            ...(token && {Authorization: `Bearer ${token}`})
          },
          ...(ca && {ca: readFileSync(ca.cert)}),
          ...(client && {cert: readFileSync(client.cert), key: readFileSync(client.key)}),
          ...more
        },
        async (response) => {
          const head = {
            status: response.statusCode,
            headers: response.headers,
            reused: response.socket.isSessionReused(),
            protocol: response.socket.getProtocol()
          };
          try {
            const parts = [];
            for await (const part of response) parts.push(part);
            const answer = Buffer.concat(parts).toString();
            let json;
            try {
              json = JSON.parse(answer);
            } catch { /* not JSON */
            }
            resolve({...head, body: answer, json});
          } catch (error) {
            resolve({...head, error});
          }
        });
    request.on('error', (error) => resolve({error}));
    request.end(body);
  });
  return within(exchange, `an answer to ${method} ${path} over TLS`);
}

// An HTTPS server until the scenario ends; `sockets` of all connections, `resumed` of them.
export async function tlsOrigin(s, pair, {handler = ok, ...options} = {}) {
  const origin = {requests: [], connections: 0, resumed: 0, names: []};
  origin.server = https.createServer(
      {cert: readFileSync(pair.cert), key: readFileSync(pair.key), ...options},
      (request, response) => {
        origin.requests.push(request);
        handler(request, response);
      });
  origin.server.on('secureConnection', (socket) => {
    origin.connections += 1;
    origin.names.push(socket.servername);
    if (socket.isSessionReused()) origin.resumed += 1;
    socket.on('error', () => {});
  });
  origin.server.on('tlsClientError', () => {});
  await new Promise((done) => origin.server.listen(0, '127.0.0.1', done));
  origin.port = origin.server.address().port;
  s.defer(async () => {
    origin.server.closeAllConnections();
    await new Promise((done) => origin.server.close(done));
  });
  return origin;
}
