// The real binary in a folder of its own, and what can be read of it: its record and its metrics.
import {spawn} from 'node:child_process';
import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {assert, binary, call, until, within} from './wire.mjs';

export class Sidecar {
  stderr = '';
  constructor(folder, port, adminPort, args) {
    Object.assign(this, {folder, port, adminPort});
    this.adminToken = args.env.REEVE_ADMIN_TOKEN;
    // `fds`: the limit of file descriptors, soft and hard.
    const limited = args.fds ? ['prlimit', `--nofile=${args.fds}`] : [];
    const [program, ...words] =
        [...(args.under ?? []), ...limited, binary, 'serve', '-c', join(folder, 'reeve.yaml')];
    this.child = spawn(
        program, words, {env: {...process.env, ...args.env}, stdio: ['ignore', 'pipe', 'pipe']});
    this.child.stdout.on('data', (data) => {
      this.stderr += data;
    });
    this.child.stderr.on('data', (data) => {
      this.stderr += data;
    });
    this.ended = new Promise((done) => {
      this.child.on('close', (code, signal) => {
        this.exit = {code, signal};
        done(this.exit);
      });
      this.child.on('error', (error) => {
        this.stderr += error.message;
        this.exit = {code: null, error: error.code};
        done(this.exit);
      });
    });
  }
  get pid() {
    return this.child.pid;
  }
  get auditPath() {
    return join(this.folder, 'state/audit.jsonl');
  }
  async ready() {
    await until(async () => {
      if (this.exit)
        throw new Error(`the sidecar ended with ${JSON.stringify(this.exit)}:\n${this.stderr}`);
      return (await call(this.adminPort, 'GET', '/readyz').catch(() => ({}))).status === 200;
    }, '/readyz');
    return this;
  }
  signal(name) {
    this.child.kill(name);
  }
  async stop() {
    this.signal('SIGTERM');
    return within(this.ended, 'the end after SIGTERM', 60_000);
  }
  async kill() {
    this.signal('SIGKILL');
    return this.ended;
  }

  call(method, path, options) {
    return call(this.port, method, path, options);
  }
  // A JSON-RPC message to an MCP upstream, and the one answer to it, also when it comes as an
  // event.
  async rpc(path, message, {headers = {}, ...options} = {}) {
    const answer = await this.call('POST', path, {
      ...options,
      body: message,
      headers: {
        'Content-Type': 'application/json',
        'Accept': 'application/json, text/event-stream',
        ...headers
      }
    });
    if (!answer.json && answer.body) {
      const data = answer.body.split('\n')
                       .filter((line) => line.startsWith('data:'))
                       .map((line) => line.slice(5));
      const messages = data.filter((line) => line.trim()).map((line) => JSON.parse(line));
      answer.json = messages.find((each) => 'id' in each && !('method' in each));
    }
    return answer;
  }
  writePolicy(text) {
    writeFileSync(join(this.folder, 'policy.yaml'), text);
  }
  // The audit's complete lines, parsed; `select` keeps those whose members equal.
  audit(select = {}) {
    const text = readFileSync(this.auditPath, 'utf8');
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter(Boolean);
    return lines.map((line) => JSON.parse(line))
        .filter((line) => Object.entries(select).every(([key, value]) => line[key] === value));
  }
  // Both lines of the calls that `select` finds by their decision line.
  async records(select, count = 1) {
    return until(() => {
      const decisions = this.audit({kind: 'decision', ...select});
      const outcomes = new Map(this.audit({kind: 'outcome'}).map((line) => [line.call, line]));
      const records =
          decisions.map((decision) => ({decision, outcome: outcomes.get(decision.call)}));
      return records.length >= count && records.every((record) => record.outcome) && records;
    }, `${count} calls in the audit with ${JSON.stringify(select)}, both lines`);
  }
  async metrics() {
    const answer = await call(this.adminPort, 'GET', '/metrics');
    assert.equal(answer.status, 200);
    return parseMetrics(answer.body);
  }
  // The sum of a metric over the series that have these labels.
  async metric(name, labels = {}) {
    return (await this.metrics())
        .filter(
            (series) => series.name === name &&
                Object.entries(labels).every(([key, value]) => series.labels[key] === value))
        .reduce((sum, series) => sum + series.value, 0);
  }
}

export function parseMetrics(text) {
  const series = [];
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, key, value] of (match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
      labels[key] = value;
    series.push({name: match[1], labels, value: Number(match[3])});
  }
  return series;
}
