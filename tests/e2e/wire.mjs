// The plain means of the end-to-end tests: where the binary is, waiting for a condition, running a
// program, and an HTTP client that sends exactly what it is told. Tests import all of it from
// lib.mjs.
//
// Nothing here sleeps to let something happen: until() waits for a condition, and fails with its
// name.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {existsSync} from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

export {assert};
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
export const binary = process.env.REEVE_BINARY || join(root, 'build/release/reeve');
if (!existsSync(binary)) {
  console.error(
      `${binary} is not there: build it (deploy/build release), or name another with REEVE_BINARY`);
  process.exit(1);
}
export const long = process.env.REEVE_TEST_LONG === '1';
// Sanitizers make everything several times slower, and memory figures meaningless.
export const sanitized = Boolean(process.env.REEVE_SANITIZE);
const patience = sanitized ? 60_000 : 20_000;  // ms until a condition counts as never met

export const sha256 = (data) => createHash('sha256').update(data).digest('hex');
export const newToken = () => randomBytes(24).toString('base64url');

// Calls `condition` until it gives something true, and returns that.
export async function until(condition, what, ms = patience) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`never came: ${what}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

export async function within(promise, what, ms = patience) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`never came: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// A port that nothing listens on, from below the range that outgoing connections take theirs from.
export async function freePort() {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 18_000);
    const server = net.createServer();
    const free = await new Promise((done) => {
      server.once('error', () => done(false));
      server.listen(
          {port, host: '127.0.0.1', exclusive: true}, () => server.close(() => done(true)));
    });
    if (free) return port;
  }
}

// Runs a program to its end: {code, signal, out, err}.
export function run(command, args, {env = {}, input = '', cwd, ms = 120_000} = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {cwd, env: {...process.env, ...env}});
    const result = {code: null, signal: null, out: '', err: ''};
    const timer = setTimeout(() => child.kill('SIGKILL'), ms);
    child.stdout.on('data', (data) => {
      result.out += data;
    });
    child.stderr.on('data', (data) => {
      result.err += data;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({...result, code, signal});
    });
  });
}
export const reeve = (...args) => run(binary, args);

// One HTTP exchange on a connection of its own. `headers` is an object or a list of pairs (repeats,
// order and case are kept). {status, headers, rawHeaders, body, json}; with stream: true,
// `response` to read from instead of `body`.
export function call(
    port, method, path, {headers = {}, body, token, stream = false, agent = false} = {}) {
  const pairs = Array.isArray(headers) ? [...headers] : Object.entries(headers);
  const has = (name) => pairs.some(([key]) => key.toLowerCase() === name);
  if (!has('host')) pairs.unshift(['Host', `127.0.0.1:${port}`]);
  if (token !== undefined) pairs.push(['Authorization', `Bearer ${token}`]);
  const text = body !== undefined && typeof body === 'object' && !Buffer.isBuffer(body) ?
      JSON.stringify(body) :
      body;
  if (text !== body && !has('content-type')) pairs.push(['Content-Type', 'application/json']);
  if (text !== undefined && !has('transfer-encoding'))
    pairs.push(['Content-Length', String(Buffer.byteLength(text))]);
  const exchange = new Promise((resolve, reject) => {
    const request = http.request(
        {host: '127.0.0.1', port, method, path, headers: pairs.flat(), setHost: false, agent},
        async (response) => {
          const head = {
            status: response.statusCode,
            headers: response.headers,
            rawHeaders: response.rawHeaders
          };
          if (stream) return resolve({...head, request, response});
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
            reject(error);
          }
        });
    request.on('error', reject);
    request.end(text);
  });
  return within(exchange, `an answer to ${method} ${path}`);
}

// Sends bytes as they are; gives back all that came until the other side closed.
export function raw(port, bytes) {
  return within(
      new Promise((resolve) => {
        let answer = '';
        const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
        socket.on('data', (data) => {
          answer += data.toString('latin1');
        });
        socket.on('error', () => resolve(answer));
        socket.on('close', () => resolve(answer));
      }),
      `the end of a connection that was sent ${JSON.stringify(bytes.slice(0, 60))}`);
}
