// What the tests of upstreams share: servers on several addresses of loopback that behave as told,
// an address that never accepts, and names of the test's own.
import {execFileSync, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync, writeFileSync} from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import {join} from 'node:path';

import {agentEntry, allowAll, call, freePort, policyOf, until, within} from './lib.mjs';

export const priced = `prices:
  - {upstream: api, http: "* /**", cost: 0.10 USD}
budgets:
  cap: {for: everyone, limit: 100000.00 USD per year}
`;

// A sidecar with one thread and one upstream `api`; `upstream` is its entry in reeve.yaml.
export async function start(s, upstream, {config = {}, more = priced, ...options} = {}) {
  const jordan = agentEntry('jordan');
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], allowAll('api'), more),
    upstreams: {api: upstream},
    config: {threads: 1, ...config},
    ...options
  });
  const get = (path = '/api/x', options = {}) =>
      sidecar.call('GET', path, {token: jordan.token, ...options});
  // Without a body it could be sent again, were it not a POST.
  const post = (path = '/api/x', body = '') =>
      sidecar.call('POST', path, {token: jordan.token, body});
  return {sidecar, token: jordan.token, get, post};
}

// What /v1/upstreams says of `api`.
export async function shown(sidecar) {
  const {status, json} =
      await call(sidecar.adminPort, 'GET', '/v1/upstreams', {token: sidecar.adminToken});
  if (status !== 200) throw new Error(`/v1/upstreams: ${status}`);
  return json.upstreams[0];
}
export const stateOf = async (sidecar, host) =>
    (await shown(sidecar)).addresses.find(({address}) => address.startsWith(`${host}:`))?.state;

export async function budget(sidecar) {
  const {json} = await call(sidecar.adminPort, 'GET', '/v1/budgets', {token: sidecar.adminToken});
  return {used: Number(json.budgets[0].used), reserved: Number(json.budgets[0].reserved)};
}

// A server on an address of loopback, which keeps `METHOD url` of what came.
export async function serverAt(s, host, port = 0, handler) {
  const seen = [];
  const server = http.createServer(async (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    for await (const _ of request);
    if (handler) return handler(request, response);
    response.end(host);
  });
  server.keepAliveTimeout = 60_000;
  const close = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((done) => server.close(done));
  };
  await new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, done);
  });
  s.defer(close);
  port = server.address().port;
  return {host, port, seen, close, server, url: (path = '') => `http://${host}:${port}${path}`};
}

// A server below HTTP: onHead(socket, head) for each head that comes, `head` being {line, nth} with
// its number on its connection, from 1; with `onConnection` for each connection.
export async function rawServerAt(s, host, onHead, onConnection = () => {}) {
  const heads = [];
  const sockets = new Set();
  const server = net.createServer((socket) => {
    let text = '';
    let nth = 0;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    onConnection(socket);
    socket.on('data', (data) => {
      text += data.toString('latin1');
      for (let end; (end = text.indexOf('\r\n\r\n')) >= 0; text = text.slice(end + 4)) {
        const head = {line: text.slice(0, text.indexOf('\r\n')), nth: ++nth};
        heads.push(head);
        onHead(socket, head);
      }
    });
  });
  await new Promise((done) => server.listen(0, host, done));
  s.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  });
  const {port} = server.address();
  return {heads, sockets, port, url: () => `http://${host}:${port}`};
}
export const okAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

// A port of `host` that answers no SYN: its process is stopped and its queue full.
export async function deafAt(s, host) {
  const code = 'const s = require("net").createServer().listen({port: 0, host: process.argv[1], ' +
      'backlog: 1}, () => console.log(s.address().port))';
  const child = spawn(process.execPath, ['-e', code, host], {stdio: ['ignore', 'pipe', 'ignore']});
  s.defer(() => child.kill('SIGKILL'));
  const [line] = await within(once(child.stdout, 'data'), 'a port');
  child.kill('SIGSTOP');
  const port = Number(line);
  for (let i = 0; i < 4; ++i) {
    const filler = net.connect(port, host).on('error', () => {});
    s.defer(() => filler.destroy());
  }
  return {port, url: () => `http://${host}:${port}`};
}

// A port on which nothing listens on any of these addresses.
export async function portOn(hosts) {
  for (;;) {
    const port = await freePort();
    const free = await Promise.all(hosts.map(
        (host) => new Promise((done) => {
          const server = net.createServer();
          server.once('error', () => done(false));
          server.listen({port, host, exclusive: true}, () => server.close(() => done(true)));
        })));
    if (free.every(Boolean)) return port;
  }
}

// Files of its own instead of the machine's, for one process: its names are the test's.
const namespaced = ['unshare', process.getuid() === 0 ? '-m' : '-rm', '--propagation', 'private'];
export const canFakeNames = spawnSync(namespaced[0], [...namespaced.slice(1), 'true']).status === 0;

// `under` for a sidecar whose /etc/hosts is `path`, and whom no name server answers.
export class Names {
  constructor(s, {fifo = false} = {}) {
    const folder = s.folder();
    this.path = join(folder, 'hosts');
    const resolver = join(folder, 'resolv.conf');
    if (fifo) {
      execFileSync('mkfifo', [this.path]);
    } else {
      this.set({});
    }
    writeFileSync(resolver, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
    const script = 'mount --bind "$1" /etc/hosts && mount --bind "$2" "$(realpath ' +
        '/etc/resolv.conf)" && shift 2 && exec "$@"';
    this.under = [...namespaced, 'sh', '-c', script, 'sh', this.path, resolver];
  }
  // {name: [address, …]}
  set(names) {
    const lines = Object.entries(names).flatMap(
        ([name, addresses]) => addresses.map((address) => `${address} ${name}\n`));
    writeFileSync(this.path, lines.join(''));
  }
  text() {
    return readFileSync(this.path, 'utf8');
  }
}

// An agent that sends a call and can leave: {socket, leave()}.
export async function leaver(s, sidecar, token, path) {
  const socket = net.connect(sidecar.port, '127.0.0.1').on('error', () => {});
  s.defer(() => socket.destroy());
  socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  const target = path.slice('/api'.length);
  await until(() => sidecar.audit({kind: 'decision', target}).length === 1, `the call ${path}`);
  return {socket, leave: () => socket.destroy()};
}
