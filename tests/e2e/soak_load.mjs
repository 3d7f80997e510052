// The clients of soak.mjs, one function for each way of calling: good ones and such that break off.
// Each gives back how its call ended: `answered`, `refused`, `failed` (502 or 504: the upstream was
// away) or `cut` (closed without a whole answer). Whatever else happens is thrown, and so is a call
// that does not end.
import {randomBytes, randomInt} from 'node:crypto';
import http from 'node:http';
import net from 'node:net';

import {within} from './wire.mjs';

const patience = 30_000;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const block = randomBytes(1 << 20);

// One call through `agent`'s connections; `look(status, body)` says how it ended.
function fetch({port, token}, agent, method, path, {body, headers = {}, look, slow = false}) {
  const call = new Promise((resolve, reject) => {
    const request = http.request(
        {
          host: '127.0.0.1',
          port,
          method,
          path,
          agent,
          headers: {Authorization: `Bearer ${token}`, ...headers}
        },
        async (response) => {
          const parts = [];
          try {
            let first = true;
            for await (const part of response) {
              parts.push(part);
              if (slow && first) await sleep(randomInt(300));
              first = false;
            }
            if (!response.complete) return resolve('cut');
            const text = Buffer.concat(parts).toString('latin1');
            const {statusCode: status} = response;
            resolve(status === 502 || status === 504 ? 'failed' : look(status, text));
          } catch (error) {
            if (error.code === 'ERR_ASSERTION' || error instanceof WrongAnswer)
              reject(error);
            else
              resolve('cut');
          }
        });
    request.on('error', () => resolve('cut'));
    if (typeof body === 'function')
      body(request);
    else
      request.end(body);
  });
  return within(call, `an end of ${method} ${path}`, patience);
}

export class WrongAnswer extends Error {}
function expect(good, what) {
  if (!good) throw new WrongAnswer(what);
}
const answeredWith = (key) => (status, text) => {
  expect(status === 200, `${key} was answered ${status}: ${text.slice(0, 200)}`);
  expect(text.includes(key), `${key} got somebody else's answer: ${text.slice(0, 200)}`);
  return 'answered';
};

// Sends bytes as they are, then does as it is told; ends when the peer closes or we do.
function socket({port}, bytes, act = () => {}) {
  const over = new Promise((resolve) => {
    let text = '';
    const connection = net.connect({port, host: '127.0.0.1', allowHalfOpen: true}, () => {
      connection.write(bytes);
      act(connection);
    });
    connection.on('data', (data) => {
      text += data.toString('latin1');
    });
    connection.on('error', () => {});
    connection.on('end', () => connection.end());
    connection.on('close', () => resolve(text));
  });
  return within(over, `an end of a connection that sent ${bytes.slice(0, 60)}`, patience);
}
const head = ({token}, method, path) =>
    `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`;
function ended(text) {
  const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
  if (!status) return 'cut';
  if (status === 200) return 'answered';
  expect([408, 502, 504].includes(status), `a raw request was answered ${text.slice(0, 200)}`);
  return status === 408 ? 'refused' : 'failed';
}

export const kinds = {
  plain: (to, agent, id) =>
      fetch(to, agent, 'GET', `/api/plain/${id}`, {look: answeredWith(`/plain/${id}"`)}),
  mcp: (to, agent, id) => fetch(to, agent, 'POST', '/tools', {
    headers: {'Content-Type': 'application/json', 'Accept': 'application/json, text/event-stream'},
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {name: `call.${id}`, arguments: {n: 1}}
    }),
    look: answeredWith(`call.${id}"`)
  }),
  events: (to, agent, id) => fetch(to, agent, 'GET', `/api/events/${id}`, {
    look: (status, text) => {
      answeredWith(`/events/${id}"`)(status, text);
      expect(text.split('\n\n').length === 6, `/events/${id}: ${text.length} bytes of events`);
      return 'answered';
    }
  }),
  upload: (to, agent, id) => {
    const size = randomInt(block.length);
    const headers = randomInt(2) ? {'Content-Length': size} : {'Transfer-Encoding': 'chunked'};
    return fetch(to, agent, 'POST', `/api/upload/${id}`, {
      headers,
      body: (request) => {
        const half = size >> 1;
        request.write(block.subarray(0, half));
        setTimeout(() => request.end(block.subarray(half, size)), randomInt(20));
      },
      look: answeredWith(`/upload/${id}" ${size}`)
    });
  },
  slow: (to, agent, id) => fetch(to, agent, 'GET', `/api/big/${id}`, {
    slow: true,
    look: (status, text) => {
      expect(status === 200 && text.length === 2 << 20, `/big/${id}: ${status} ${text.length}`);
      return 'answered';
    }
  }),
  denied: (to, agent, id) => fetch(to, agent, 'GET', `/api/denied/${id}`, {
    look: (status) => {
      expect(status === 403, `/denied/${id} was answered ${status}`);
      return 'refused';
    }
  }),
  pipelined: async (to, agent, id) => {
    const text = await socket(
        to,
        [0, 1, 2, 3].map((n) => `${head(to, 'GET', `/api/plain/${id}.${n}`)}\r\n`).join('') +
            `${head(to, 'GET', `/api/plain/${id}.4`)}Connection: close\r\n\r\n`);
    const found = [...text.matchAll(/"\/plain\/[\d-]+\.(\d)"/g)].map(([, n]) => n).join('');
    expect('01234'.startsWith(found) || /HTTP\/1\.1 50[24]/.test(text), `${id} got ${found}`);
    return found === '01234' ? 'answered' : ended(text) === 'answered' ? 'failed' : ended(text);
  },
  reset: async (to, agent, id) => ended(await socket(
      to, `${head(to, 'GET', `/api/late/${id}`)}\r\n`,
      (connection) => setTimeout(() => connection.resetAndDestroy(), randomInt(60)))),
  resetUpload: async (to, agent, id) => ended(await socket(
      to,
      `${head(to, 'POST', `/api/upload/${id}`)}Content-Length: 100000\r\n\r\n${'u'.repeat(5000)}`,
      (connection) => setTimeout(() => connection.resetAndDestroy(), randomInt(30)))),
  halfClose: async (to, agent, id) => ended(await socket(
      to, `${head(to, 'GET', `/api/plain/${id}`)}\r\n`, (connection) => connection.end())),
  // The rest of its head never comes: refused after limits.head.
  stall: async (to, agent, id) => ended(await socket(to, head(to, 'GET', `/api/plain/${id}`))),
  tunnel: async (to, agent, id) => {
    const data = randomBytes(1 + randomInt(50_000)).toString('hex');
    const reset = randomInt(4) === 0;
    const target = `127.0.0.1:${to.echoPort}`;
    const text = await socket(
        to,
        `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nProxy-Authorization: Bearer ${
            to.token}\r\n\r\n`,
        (connection) => {
          connection.once('data', () => {
            connection.write(data);
            if (reset)
              setTimeout(() => connection.resetAndDestroy(), randomInt(10));
            else
              connection.end();
          });
        });
    if (reset) return 'cut';
    if (!text.startsWith('HTTP/1.1 200 ')) return ended(text);
    const got = text.slice(text.indexOf('\r\n\r\n') + 4);
    expect(data.startsWith(got), `tunnel ${id} got other bytes than it sent`);
    return got === data ? 'answered' : 'cut';
  }
};
