// The images, built by buildah on a Debian that debootstrap made, for no registry is asked; what is
// in them, and that the programs start there. Needs root.
import {spawn} from 'node:child_process';
import {chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {archiveOf, must} from './debian_root.mjs';

import {agentEntry, allowAll, assert, call, freePort, long, policyOf, root, run, sanitized, scenario, until} from './lib.mjs';

const recipe = join(root, 'deploy/image');

async function images(s) {
  const folder = s.folder();
  const buildah = (...words) => must(
      'buildah',
      [
        '--storage-driver=vfs', `--root=${join(folder, 'storage')}`,
        `--runroot=${join(folder, 'run')}`, ...words
      ],
      {env: {BUILDAH_ISOLATION: 'chroot'}, cwd: folder});
  const context = join(folder, 'context');
  mkdirSync(context);
  await must(join(root, 'deploy/package'), ['deb', context]);
  cpSync(join(recipe, 'assemble'), join(context, 'assemble'));

  const base = (await buildah('from', 'scratch')).trim();
  await buildah(
      'add', '--quiet', base, await archiveOf('systemd', ['ca-certificates', 'passwd', 'systemd']),
      '/');
  await buildah('commit', '--quiet', base, 'localhost/debian');
  const made = {};
  for (const target of ['reeve', 'keep']) {
    await buildah(
        'bud', '--quiet', '--layers', '--pull-never', '--network=host',
        '--build-arg=DEBIAN=localhost/debian', `--target=${target}`, '-f',
        join(recipe, 'Dockerfile'), '-t', target, context);
    const container = (await buildah('from', '--pull-never', `localhost/${target}`)).trim();
    const path = (await buildah('mount', container)).trim();
    const {OCIv1: {config}} =
        JSON.parse(await buildah('inspect', '--type=image', `localhost/${target}`));
    made[target] = {path, config, sbom: join(path, 'usr/share/sbom')};
  }
  return made;
}

function checkSbom(file, expected) {
  const sbom = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(sbom.spdxVersion, 'SPDX-2.3');
  assert.equal(sbom.SPDXID, 'SPDXRef-DOCUMENT');
  assert.match(sbom.documentNamespace, /^https:\/\/.*\/[0-9a-f]{64}$/);
  assert.match(sbom.creationInfo.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const ids = sbom.packages.map((each) => each.SPDXID);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^SPDXRef-[a-zA-Z0-9.-]+$/);
  for (const {name, versionInfo, externalRefs: [purl]} of sbom.packages) {
    assert.ok(name && versionInfo);
    assert.match(
        purl.referenceLocator,
        /^pkg:deb\/debian\/[a-z0-9.%B-]+@[\w.~%-]+\?arch=(amd64|arm64|all)$/);
  }
  assert.deepEqual(sbom.relationships.map((each) => each.relatedSpdxElement).sort(), ids.sort());
  const names = sbom.packages.map((each) => each.name);
  for (const name of expected) assert.ok(names.includes(name), `${name} is not among ${names}`);
  return names;
}

scenario('the images hold their program and what it loads, and start', async (s) => {
  const {reeve, keep} = await images(s);
  // Nothing to run but the program.
  assert.deepEqual(readdirSync(join(reeve.path, 'usr/bin')), ['reeve']);
  assert.deepEqual(readdirSync(join(reeve.path, 'usr/sbin')), []);
  assert.deepEqual(readdirSync(join(keep.path, 'usr/bin')), []);
  assert.deepEqual(readdirSync(join(keep.path, 'usr/sbin')), ['nft']);
  assert.equal(reeve.config.User, '10700:10700');
  assert.deepEqual(reeve.config.Entrypoint, ['/usr/bin/reeve']);
  const setuid = await must('find', [reeve.path, keep.path, '-xdev', '-perm', '/6000']);
  assert.equal(setuid, '');

  const names = checkSbom(
      join(reeve.sbom, 'reeve.spdx.json'),
      ['ca-certificates', 'libc6', 'libssl3', 'libsqlite3-0', 'libstdc++6', 'reeve', 'tzdata']);
  assert.deepEqual(readdirSync(join(reeve.path, 'var/lib/dpkg/status.d')).sort(), names.sort());
  for (const name of names)
    assert.ok(existsSync(join(reeve.path, `usr/share/doc/${name}/copyright`)), name);
  checkSbom(
      join(keep.sbom, 'reeve-keep.spdx.json'), ['libc6', 'libnftables1', 'nftables', 'reeve']);

  // As a container has it: a root that cannot be written, the user of the image, a volume for
  // state.
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const [port, adminPort] = [await freePort(), await freePort()];
  const mounts = s.folder();
  const [config, state] = [join(mounts, 'config'), join(mounts, 'state')];
  for (const folder of [config, state]) mkdirSync(folder);
  writeFileSync(join(config, 'policy.yaml'), policyOf([jordan], allowAll('api')));
  writeFileSync(join(config, 'reeve.yaml'), JSON.stringify({
    listen: [{name: 'local', address: `127.0.0.1:${port}`}],
    admin: {address: `127.0.0.1:${adminPort}`},
    policy: 'policy.yaml',
    state: '/var/lib/reeve',
    upstreams: {api: {http: origin.url()}, secure: {http: 'https://example.invalid'}},
  }));
  chownSync(state, 10700, 10700);
  assert.equal(statSync(state).uid, 10700);
  mkdirSync(join(reeve.path, 'etc/reeve'));
  const script =
      `mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && mount --bind "$2" "$1/etc/reeve" &&
    mount --bind "$3" "$1/var/lib/reeve" && exec chroot --userspec=10700:10700 --groups= "$1" /usr/bin/reeve "$4" "$5" "$6"`;
  const inside = ['unshare', '--mount', 'sh', '-c', script, 'sh', reeve.path, config, state];
  const child = spawn(
      inside[0], [...inside.slice(1), ...reeve.config.Cmd], {stdio: ['ignore', 'pipe', 'pipe']});
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => said += data);
  const ended = new Promise((done) => child.on('close', done));
  s.defer(() => child.kill('SIGKILL'));
  await until(async () => {
    assert.equal(child.exitCode, null, said);
    return (await call(adminPort, 'GET', '/readyz').catch(() => ({}))).status === 200;
  }, '/readyz of the image');
  assert.equal((await call(port, 'GET', '/api/', {token: jordan.token})).status, 200);
  child.kill('SIGTERM');
  assert.equal(await ended, 0, said);
  assert.ok(readFileSync(join(state, 'audit.jsonl'), 'utf8').includes('"outcome"'));

  // The rules load in the other one.
  const checked = await run('unshare', [
    '--net', 'chroot', keep.path, ...keep.config.Entrypoint, '-D', 'agents={ 10001 }', '-D',
    'listeners={ 8700 }', '-f', '/usr/share/reeve/agents.nft'
  ]);
  assert.equal(checked.code, 0, checked.err);
}, {skip: !long || sanitized || process.getuid() !== 0, timeout: 3_600_000});
