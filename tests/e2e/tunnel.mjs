// What the tests of the forward proxy share: servers, a client that sends CONNECT, and the first
// bytes of a client of TLS.
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import {join} from 'node:path';
import tls from 'node:tls';

import {agentEntry, ok, policyOf, until, within} from './lib.mjs';

export const loopback = {
  dial: {allow: ['127.0.0.0/8', '::1/128']}
};
export const anyTunnel = '    allow:\n      - {id: out, connect: "*:*"}\n';

export async function start(s, {rules = anyTunnel, more, config = {}, agent = {}} = {}) {
  const jordan = agentEntry('jordan', agent);
  const origin = await s.origin();
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], rules, more),
    upstreams: {api: {http: origin.url()}},
    config: {...loopback, ...config}
  });
  return {sidecar, origin, token: jordan.token};
}

// A TCP server that hands its sockets to `handler`, half-open ones too.
export async function tcpServer(s, handler, {host = '127.0.0.1', port = 0} = {}) {
  const sockets = [];
  const server = net.createServer({allowHalfOpen: true}, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    handler(socket);
  });
  await new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, done);
  });
  s.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {port: server.address().port, sockets};
}
export const echo = (socket) => socket.pipe(socket);

// A server of TLS with a certificate for localhost and docs.localhost, made on the spot.
export async function tlsServer(s, {port = 0, host = '127.0.0.1', handler = ok} = {}) {
  const folder = s.folder();
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync(
      'openssl',
      [
        'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days',
        '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
        '-keyout', key, '-out', cert
      ],
      {stdio: 'ignore'});
  const names = [];
  const server = https.createServer({key: readFileSync(key), cert: readFileSync(cert)}, handler);
  server.on('secureConnection', (socket) => names.push(socket.servername));
  server.on('tlsClientError', () => {});
  const sockets = new Set();
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, done);
  });
  s.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {port: server.address().port, cert, ca: readFileSync(cert), names, sockets};
}

// However it ends; once() would throw at a reset.
export const closed = (socket) => new Promise((done) => {
  if (socket.closed) return done();
  socket.on('close', done);
  socket.on('end', () => socket.end());
});

// Sends CONNECT and reads the head of its answer: {status, head, rest, socket}; of a refusal
// `json`.
export async function connect(sidecar, target, {token, headers = [], first = ''} = {}) {
  const socket = net.connect({port: sidecar.port, host: '127.0.0.1', allowHalfOpen: true});
  socket.on('error', () => {});
  const lines = [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`, ...headers];
  if (token) lines.push(`Proxy-Authorization: Bearer ${token}`);
  socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(first)]));
  let answer = Buffer.alloc(0);
  await within(
      new Promise((done) => {
        const look = (data) => {
          answer = Buffer.concat([answer, data]);
          if (!answer.includes('\r\n\r\n')) return;
          socket.off('data', look);
          socket.off('close', done);
          socket.pause();
          done();
        };
        socket.on('data', look);
        socket.on('close', done);
      }),
      `an answer to CONNECT ${target}`);
  const end = answer.indexOf('\r\n\r\n') + 4;
  const head = answer.subarray(0, end).toString();
  const result = {
    status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]),
    head,
    rest: answer.subarray(end),
    socket
  };
  if (result.status === 200) {
    if (result.rest.length > 0) socket.unshift(result.rest);
    return result;
  }
  let body = result.rest.toString();
  socket.on('data', (data) => {
    body += data;
  });
  socket.resume();
  socket.end();
  await within(closed(socket), 'the end of a refused CONNECT');
  return {...result, json: JSON.parse(body)};
}

export async function everything(socket) {
  const parts = [];
  socket.on('data', (data) => parts.push(data));
  socket.resume();
  await within(closed(socket), 'the end of a tunnel');
  return Buffer.concat(parts);
}

export async function readBytes(socket, size) {
  let got = Buffer.alloc(0);
  const take = (data) => {
    got = Buffer.concat([got, data]);
  };
  socket.on('data', take);
  socket.resume();
  await until(() => got.length >= size, `${size} bytes through a tunnel`);
  socket.off('data', take);
  socket.pause();
  return got;
}

// ClientHello of a client that asks for `servername`.
export async function clientHello(servername) {
  const [hello] = await new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      socket.once('data', (data) => {
        resolve([data]);
        socket.destroy();
        server.close();
      });
    });
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const client = tls.connect({port: server.address().port, host: '127.0.0.1', servername});
      client.on('error', () => {});
    });
  });
  return hello;
}
