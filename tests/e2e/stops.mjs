// What the tests of the stop share: the command, and clients and servers that never stop talking.
// Whatever passes carries the moment at which it was sent, so that a test can tell what was sent
// after the stop was confirmed from what was read late.
import {execFile} from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import {join} from 'node:path';

import {binary, until} from './lib.mjs';
import {connect} from './tunnel.mjs';

// `reeve agents …` against this sidecar: {code, out, err}.
export function agents(sidecar, ...words) {
  return agentsAs(sidecar, {}, ...words);
}
export function agentsAs(sidecar, env, ...words) {
  return new Promise((done) => {
    execFile(
        binary, ['agents', ...words, '-c', join(sidecar.folder, 'reeve.yaml')],
        {env: {...process.env, REEVE_ADMIN_TOKEN: sidecar.adminToken, ...env}},
        (error, out, err) => done({code: error ? error.code : 0, out, err}));
  });
}

const every = 5;  // ms
export const now = () => performance.now();

// The moments that stand in `text`.
const moments = (text) => [...text.matchAll(/at (\d+\.?\d*);/g)].map((match) => Number(match[1]));

// Hears moments on one side of something that flows, and whether it has ended.
class Ear {
  heard = 0;
  last = -1;
  ended = false;
  #rest = '';
  listen(stream) {
    stream.on('data', (data) => {
      this.#rest += data;
      const whole = this.#rest.lastIndexOf(';') + 1;
      for (const moment of moments(this.#rest.slice(0, whole))) {
        this.heard += 1;
        this.last = Math.max(this.last, moment);
      }
      this.#rest = this.#rest.slice(whole);
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      this.ended = true;
    });
    return this;
  }
}

// Says the time until the stream is closed.
function talk(stream, line = (moment) => `at ${moment};`) {
  stream.on('error', () => {});
  const timer = setInterval(() => {
    if (!stream.destroyed) stream.write(line(now()));
  }, every);
  stream.on('close', () => clearInterval(timer));
}

// An origin: GET is answered with events that never end, what is POSTed is heard, until it ends.
export async function talkingOrigin(s) {
  const ears = [];
  const handler = (request, response) => {
    if (request.method === 'GET' && request.url.startsWith('/plain')) return response.end('ok');
    if (request.method === 'GET') {
      response.writeHead(200, {'Content-Type': 'text/event-stream'});
      return talk(
          response,
          (moment) => `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":` +
              `"info","data":"at ${moment};"}}\n\n`);
    }
    const ear = new Ear().listen(request);
    ears.push(ear);
    request.on('end', () => response.end('ok'));
  };
  handler.streams = true;
  const origin = await s.origin(handler);
  return {origin, ears};
}

// A TCP server beyond a tunnel: talks, and hears.
export async function talkingServer(s) {
  const ears = [];
  const sockets = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    ears.push(new Ear().listen(socket));
    talk(socket);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  s.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {port: server.address().port, ears};
}

function request(s, sidecar, method, path, token, headers = {}) {
  const request = http.request({
    host: '127.0.0.1',
    port: sidecar.port,
    method,
    path,
    agent: false,
    headers: {Authorization: `Bearer ${token}`, ...headers}
  });
  request.on('error', () => {});
  s.defer(() => request.destroy());
  return request;
}

// A stream of events; its ear.
export function stream(s, sidecar, path, token, headers) {
  const ear = new Ear();
  const asked = request(s, sidecar, 'GET', path, token, headers);
  asked.on('response', (response) => ear.listen(response));
  asked.on('close', () => {
    ear.ended = true;
  });
  asked.end();
  return ear;
}

// A body that never ends; an ear that hears nothing but its end.
export function upload(s, sidecar, path, token) {
  const ear = new Ear();
  const asked = request(s, sidecar, 'POST', path, token, {'Transfer-Encoding': 'chunked'});
  asked.on('close', () => {
    ear.ended = true;
  });
  talk(asked);
  return ear;
}

export async function tunnel(s, sidecar, port, token) {
  const {status, socket} = await connect(sidecar, `127.0.0.1:${port}`, {token});
  if (status !== 200) throw new Error(`CONNECT got ${status}`);
  s.defer(() => socket.destroy());
  const ear = new Ear().listen(socket);
  talk(socket);
  socket.resume();
  return ear;
}

export const allFlow = (ears, count) =>
    until(() => ears.length >= count && ears.every((ear) => ear.heard > 1), `${count} that flow`);
export const allEnd = (ears) => until(() => ears.every((ear) => ear.ended), 'the end of all');
