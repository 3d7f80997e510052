// A real PostgreSQL of a scenario's own, and its replicas (deploy/scratch-postgres).
import {mkdirSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {assert, freePort, root, run} from './wire.mjs';

export class Postgres {
  constructor(folder, port) {
    Object.assign(this, {folder, port});
  }
  async command(name, ...more) {
    const done =
        await run(join(root, 'deploy/scratch-postgres'), [name, this.folder, ...more.map(String)]);
    assert.equal(done.code, 0, `scratch-postgres ${name}: ${done.err}`);
    return done.out.trim();
  }
  sql(statement) {
    return this.command('sql', statement, 'reeve');
  }
  get password() {
    return readFileSync(join(this.folder, 'password'), 'utf8').trim();
  }
}

// A server that is stopped with its scenario; with `from`, a replica of that one.
export async function postgres(s, from) {
  const parent = from ? join(from.folder, '..') : mkdtempSync(join(tmpdir(), 'reeve-pg-'));
  const folder = join(parent, from ? `replica-${await freePort()}` : 'primary');
  if (!from) {
    await run('chmod', ['755', parent]);
    s.defer(() => rmSync(parent, {recursive: true, force: true}));
  }
  mkdirSync(folder);
  const server = new Postgres(folder, await freePort());
  s.defer(() => run(join(root, 'deploy/scratch-postgres'), ['stop', folder, 'immediate']));
  if (from)
    await server.command('replica', server.port, from.folder);
  else
    await server.command('start', server.port);
  return server;
}

// For `fleet.database`: the servers among which the primary is.
export const urlOf = (...servers) => `postgres://reeve:${servers[0].password}@${
    servers.map((server) => `127.0.0.1:${server.port}`)
        .join(',')}/reeve?target_session_attrs=read-write&connect_timeout=3`;
