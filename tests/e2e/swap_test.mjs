// A policy is replaced as a whole, however its files are: each answer is of one version, none
// fails, and the last version is in force within two seconds.
import {existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {assert, long, sanitized, scenario, until} from './lib.mjs';
import {ask, client, folderOf, hashInForce, inForce, oneFile} from './versions.mjs';

const swaps = Number(process.env.REEVE_ROUNDS ?? (long ? 1000 : 100));
// From a change to its being in force: the files are looked at once a second.
const soon = sanitized ? 20_000 : 2_000;

// ---- the ways to put another version in place

let made = 0;

function inPlace({path}, version) {
  writeFileSync(path, oneFile(version));
}

function byRename({path}, version) {
  writeFileSync(`${path}.new`, oneFile(version));
  renameSync(`${path}.new`, path);
}

// A new link over `..data`, through which every file of the policy is reached: what the kubelet
// does with a ConfigMap.
function byLink({mount}, files) {
  const before = made;
  const name = (number) => `..version-${number}`;
  mkdirSync(join(mount, name(++made)));
  for (const [file, text] of Object.entries(files))
    writeFileSync(join(mount, name(made), file), text);
  symlinkSync(name(made), join(mount, '..new'));
  renameSync(join(mount, '..new'), join(mount, '..data'));
  for (const file of Object.keys(files))
    if (!existsSync(join(mount, file))) symlinkSync(join('..data', file), join(mount, file));
  rmSync(join(mount, name(before)), {recursive: true, force: true});
}

// What a policy is configured as, and how a version comes there.
const ways = {
  'a file written in place': {file: 'policy.yaml', put: inPlace},
  'a file renamed over it': {file: 'policy.yaml', put: byRename},
  'a file behind a link that is swapped': {
    file: 'mount/policy.yaml',
    put: (place, version) => byLink(place, {'policy.yaml': oneFile(version)})
  },
  'a folder behind links that are swapped':
      {file: 'mount', put: (place, version) => byLink(place, folderOf(version))},
};

async function start(s, {file, put}) {
  const origin = await s.origin();
  const prepared = await s.configure({
    policy: oneFile('A'),
    upstreams: {api: {http: origin.url()}},
    config: {policy: file, threads: 3}
  });
  const place = {
    path: join(prepared.folder, file),
    mount: join(prepared.folder, 'mount'),
  };
  mkdirSync(place.mount);
  put(place, 'A');
  const sidecar = await s.launch(prepared).ready();
  return {sidecar, swap: (version) => put(place, version)};
}

for (const [name, way] of Object.entries(ways)) {
  scenario(`a change is seen: ${name}`, async (s) => {
    const {sidecar, swap} = await start(s, way);
    await inForce(sidecar, 'A', soon);
    swap('B');
    await inForce(sidecar, 'B', soon);
    swap('A');
    sidecar.signal('SIGHUP');
    await inForce(sidecar, 'A', soon);
    assert.equal(await sidecar.metric('reeve_policy_reloads_total', {result: 'error'}), 0);
  });
}

for (const [name, way] of Object.entries(ways)) {
  scenario(`${swaps} swaps under load: ${name}`, async (s) => {
    const {sidecar, swap} = await start(s, way);
    const hashes = {A: await hashInForce(sidecar)};
    swap('B');
    await inForce(sidecar, 'B', soon);
    hashes.B = await hashInForce(sidecar);
    assert.notEqual(hashes.A, hashes.B);

    const seen = new Map();
    const clients = Array.from({length: 4}, () => client(sidecar, seen));
    let version = 'B';
    for (let i = 1; i <= swaps; ++i) {
      version = version === 'A' ? 'B' : 'A';
      swap(version);
      sidecar.signal('SIGHUP');
      // Of three swaps one is not waited for, so that swaps meet a reload that is under way.
      if (i % 3 !== 0) await until(async () => (await ask(sidecar)) === version, `swap ${i}`);
    }
    swap(version = 'A');  // this one is left to the look at the files
    await inForce(sidecar, version, soon);
    await Promise.all(clients.map((stop) => stop()));

    const answers = [...seen.values()].reduce((sum, count) => sum + count, 0);
    console.log(
        `${name}: ${answers} answers under load, ${JSON.stringify(Object.fromEntries(seen))}`);
    assert.deepEqual([...seen.keys()].sort(), ['A', 'B']);

    // The record: every call was decided by a rule of the version whose hash its line has.
    const lines = sidecar.audit({kind: 'decision'});
    assert.ok(lines.length >= answers);
    const versions = {[hashes.A]: 'A', [hashes.B]: 'B'};
    const mixed = lines.filter((line) => line.rule[0] !== versions[line.policy]);
    assert.deepEqual(mixed, []);
    const reloads = sidecar.audit({kind: 'policy'});
    assert.ok(reloads.filter((line) => line.result === 'ok').length > swaps / 3);
    for (const line of reloads) assert.ok(line.policy in versions, JSON.stringify(line));
    // A file that is written in place is there in part for a moment; nothing else is ever refused.
    if (way.put !== inPlace)
      assert.equal(await sidecar.metric('reeve_policy_reloads_total', {result: 'error'}), 0);
  });
}
