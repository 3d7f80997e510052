// What is handed to people who do not build: the manual and completions, the service, the Debian
// package through its whole life in a Debian of its own, the archive, and that two builds are one.
import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {debianRoot, must} from './debian_root.mjs';

import {agentEntry, allowAll, assert, binary, call, freePort, long, policyOf, reeve, root, run, sanitized, scenario, sha256, until} from './lib.mjs';

const slow = {
  skip: !long || sanitized,
  timeout: 3_600_000
};
const base = ['ca-certificates', 'passwd', 'systemd'];

async function commands() {
  const names = [];
  for (const [, name] of (await reeve('--help')).out.matchAll(/^ {2}reeve ([a-z]+)/gm)) {
    names.push(name);
    for (const [, part] of (await reeve(name, '--help'))
             .out.matchAll(new RegExp(`^ {2}reeve ${name} ([a-z]+) `, 'gm')))
      names.push(`${name} ${part}`);
  }
  return names;
}

async function manual(s) {
  const folder = s.folder();
  await must(join(root, 'deploy/manual'), [binary, folder]);
  return folder;
}

scenario('reeve --version says commit, compiler and libraries', async () => {
  const {code, out} = await reeve('--version');
  assert.equal(code, 0);
  assert.match(
      out, /^reeve \d+\.\d+\.\d+\ncommit (unknown|[0-9a-f]{7,40}(-dirty)?)\ncompiler .*Clang/m);
  assert.match(
      out,
      /^libraries Boost 1\.81\.0, OpenSSL 3\.\d+\.\d+, SQLite 3\.\d+\.\d+, fmt 9\.\d+\.\d+, /m);
  assert.match(out, /^loaded .*libc\.so\.6/m);
});

scenario('every command has a page, with all that its help says', async (s) => {
  const folder = await manual(s);
  const names = await commands();
  assert.ok(names.length >= 12 && names.includes('audit verify'), names.join());
  const expected = ['reeve.1', ...names.map((name) => `reeve-${name.replace(' ', '-')}.1`)];
  assert.deepEqual(readdirSync(join(folder, 'man')).sort(), expected.sort());
  for (const name of names) {
    const {out} = await reeve(...name.split(' '), '--help');
    const page = readFileSync(join(folder, `man/reeve-${name.replace(' ', '-')}.1`), 'utf8');
    const plain = page.replaceAll('\\-', '-').replaceAll('\\e', '\\').replaceAll('\\&', '');
    for (const line of out.split('\n').slice(2).map((line) => line.trim())) {
      if (line === 'Each takes --help.') continue;
      for (const piece of line.split(/ {2,}/))
        assert.ok(
            plain.includes(
                piece.replace(/^reeve (.*)/, (_, rest) => `reeve-${rest.replace(' ', '-')}`)) ||
                plain.includes(piece),
            `${name}: ${piece}`);
    }
  }
});

scenario('bash completes commands, their parts, options and files', async (s) => {
  const folder = await manual(s);
  const complete = async (...words) => {
    const script =
        '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _reeve; printf "%s\\n" "${COMPREPLY[@]}"';
    const {out, err} = await run(
        'bash', ['-c', script, join(folder, 'completions/reeve'), 'reeve', ...words], {cwd: root});
    assert.equal(err, '');
    return out.split('\n').filter(Boolean);
  };
  assert.deepEqual(await complete('se'), ['serve']);
  assert.deepEqual(await complete('audit', ''), ['verify', 'query', 'export', '--help']);
  assert.deepEqual(
      await complete('audit', 'verify', '--checkp'), ['--checkpoint', '--checkpoints']);
  assert.deepEqual(await complete('check', '--st'), ['--strict']);
  assert.deepEqual(await complete('check', 'README'), ['README.md']);
});

scenario('the services are held tight', async () => {
  for (const unit of ['reeve', 'reeve-agents']) {
    const {out} = await run('systemd-analyze', [
      'security', '--offline=true', '--threshold=20', join(root, `deploy/debian/${unit}.service`)
    ]);
    const exposure = Number(/Overall exposure level for .*: (\d+\.\d+)/.exec(out)?.[1]);
    assert.ok(exposure < 2, `${unit}: ${exposure}\n${out}`);
  }
}, {skip: !existsSync('/usr/bin/systemd-analyze')});

scenario('the package\'s configuration is sound, and refuses every call', async (s) => {
  const folder = s.folder();
  const port = await freePort();
  const adminPort = await freePort();
  for (const file of ['reeve.yaml', 'policy.yaml']) {
    const text = readFileSync(join(root, 'deploy/debian', file), 'utf8')
                     .replaceAll('/etc/reeve', folder)
                     .replace('/var/lib/reeve', join(folder, 'state'))
                     .replace('127.0.0.1:8700', `127.0.0.1:${port}`)
                     .replace('127.0.0.1:8701', `127.0.0.1:${adminPort}`);
    writeFileSync(join(folder, file), text);
  }
  writeFileSync(join(folder, 'admin.token'), 'a'.repeat(64));
  const checked = await reeve('check', join(folder, 'reeve.yaml'));
  assert.equal(checked.code, 0, checked.out + checked.err);
  assert.match(checked.err + checked.out, /nobody can use it\n/);
  assert.match(checked.err + checked.out, /\n0 errors, 1 warning\n$/);
  const sidecar =
      await s.launch({folder, port, adminPort, env: {REEVE_ADMIN_TOKEN: 'a'.repeat(64)}}).ready();
  assert.equal((await sidecar.call('GET', '/example/x')).status, 401);
});

// ---- what takes minutes

async function packed(s, ...words) {
  const folder = s.folder();
  await must(join(root, 'deploy/package'), [words[0], folder, ...words.slice(1)]);
  const [file] = readdirSync(folder).filter((name) => /\.(deb|tar\.gz)$/.test(name));
  return join(folder, file);
}

scenario('the manual is without a warning, and zsh completes', async (s) => {
  const folder = await manual(s);
  for (const name of readdirSync(join(folder, 'man'))) {
    const {err} = await run(
        'man', ['--warnings', '-E', 'UTF-8', '-l', '-Tutf8', '-Z', join(folder, 'man', name)],
        {env: {MANWIDTH: '80', LC_ALL: 'C.UTF-8', MANROFFSEQ: ''}});
    assert.equal(err, '', name);
  }
  // A shell on a terminal of its own, as a person has it.
  const script = `
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=(${
      join(folder, 'completions')} \\$fpath); autoload -Uz compinit; compinit -u -d ${
      folder}/dump; print RE''ADY"
zpty -r -m shell line '*READY*'
zpty -w -n shell $'reeve audit ver\\t'
zpty -r -m shell line '*verify*' && print -r -- "$line"
`;
  const {out, err} = await run('zsh', ['-f', '-c', script], {ms: 30_000});
  assert.match(out, /audit verify/, err);
}, slow);

scenario('the Debian package is clean by its own lights', async (s) => {
  const deb = await packed(s, 'deb');
  const {code, out, err} =
      await run('lintian', ['--allow-root', '--fail-on', 'error,warning', deb]);
  assert.equal(code, 0, out + err);
  assert.equal(out.trim(), '');
}, slow);

// Every file, link and folder of a root, but for what package tools keep for themselves.
async function listing(debian) {
  const out = await must('find', [
    debian.path,
    '-xdev',
    '(',
    '-path',
    '*/var/lib/dpkg',
    '-o',
    '-path',
    '*/var/lib/apt',
    '-o',
    '-path',
    '*/var/cache',
    '-o',
    '-path',
    '*/var/log',
    '-o',
    '-path',
    '*/tmp',
    '-o',
    '-name',
    'ld.so.cache',
    '-o',
    '-path',
    '*/proc',
    '-o',
    '-path',
    '*/dev',
    ')',
    '-prune',
    '-o',
    '-printf',
    '%P %y %m\\n'
  ]);
  return out.split('\n')
      .filter((line) => line && !/^etc\/(passwd|group|shadow|gshadow|subuid|subgid)-/.test(line))
      .sort();
}

// Starts what the service starts, as its user, until the scenario ends or stop() is called.
async function service(s, debian) {
  const unit = readFileSync(join(debian.path, 'lib/systemd/system/reeve.service'), 'utf8');
  const words = /^ExecStart=(.*)$/m.exec(unit)[1].split(' ');
  const user = /^User=(.*)$/m.exec(unit)[1];
  const [program, ...args] = debian.command(words, {user});
  const child = spawn(program, args, {stdio: ['ignore', 'pipe', 'pipe']});
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => said += data);
  const ended = new Promise((done) => child.on('close', (code) => done(code)));
  s.defer(() => child.kill('SIGKILL'));
  const config = readFileSync(join(debian.path, 'etc/reeve/reeve.yaml'), 'utf8');
  const [port, adminPort] =
      [...config.matchAll(/address: "127\.0\.0\.1:(\d+)"/g)].map((match) => Number(match[1]));
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`the service ended:\n${said}`);
    return (await call(adminPort, 'GET', '/readyz').catch(() => ({}))).status === 200;
  }, '/readyz of the service');
  return {
    port,
    adminPort,
    async stop() {
      child.kill('SIGTERM');
      assert.equal(await ended, 0, said);
    }
  };
}

scenario('the Debian package is installed, started, upgraded, removed and purged', async (s) => {
  const debian = await debianRoot(s, 'systemd', base);
  const origin = await s.origin();
  const [first, second] = [await packed(s, 'deb'), await packed(s, 'deb', '99.0.0')];
  // What it depends on comes first, so that the listing is of the package alone.
  const needs = (await must('dpkg-deb', ['-f', first, 'Depends']))
                    .split(',')
                    .map((each) => each.trim().split(' ')[0]);
  await debian.must(['apt-get', 'update', '-q']);
  await debian.must(['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...needs]);
  const before = await listing(debian);

  debian.copy(first, 'tmp/first.deb');
  debian.copy(second, 'tmp/second.deb');
  await debian.must(['dpkg', '-i', '/tmp/first.deb']);
  const token = join(debian.path, 'etc/reeve/admin.token');
  assert.equal(
      (await debian.must(['stat', '-c', '%U:%G %a', '/etc/reeve/admin.token'])).trim(),
      'root:reeve 640');
  assert.equal(
      (await debian.must(['stat', '-c', '%U:%G %a', '/var/lib/reeve'])).trim(), 'reeve:reeve 700');
  assert.match(readFileSync(token, 'utf8'), /^[0-9a-f]{64}$/);
  assert.ok(
      debian.has('etc/systemd/system/multi-user.target.wants/reeve.service') ||
      (await debian.must(['ls', '-l', '/etc/systemd/system/multi-user.target.wants']))
          .includes('reeve.service'));
  assert.match(await debian.must(['reeve', '--version']), /^reeve /);
  assert.match(
      await debian.must(
          ['bash', '-c', '. /usr/share/bash-completion/completions/reeve; complete -p reeve']),
      /_reeve/);

  // As a person would set it up: ports, an upstream, an agent.
  const jordan = agentEntry('jordan');
  const port = await freePort();
  const adminPort = await freePort();
  const config = join(debian.path, 'etc/reeve/reeve.yaml');
  const edited = readFileSync(config, 'utf8')
                     .replace('127.0.0.1:8700', `127.0.0.1:${port}`)
                     .replace('127.0.0.1:8701', `127.0.0.1:${adminPort}`)
                     .replace('http://127.0.0.1:9001', origin.url());
  writeFileSync(config, edited);
  const policy = policyOf([jordan], allowAll('example'), `prices:
  - {upstream: example, cost: 1 USD}
budgets:
  cap: {for: {agent: jordan}, limit: 3 USD total}
`);
  writeFileSync(join(debian.path, 'etc/reeve/policy.yaml'), policy);
  const spend = async (service) =>
      (await call(service.port, 'GET', '/example/', {token: jordan.token})).status;

  let running = await service(s, debian);
  assert.equal(await spend(running), 200);
  assert.equal(await spend(running), 200);
  const admin =
      await call(running.adminPort, 'GET', '/v1/policy', {token: readFileSync(token, 'utf8')});
  assert.equal(admin.status, 200);
  await running.stop();

  const secret = readFileSync(token, 'utf8');
  const upgraded = await debian.must(['dpkg', '-i', '/tmp/second.deb'], {input: ''});
  assert.equal(readFileSync(config, 'utf8'), edited, `the configuration is kept\n${upgraded}`);
  assert.equal(readFileSync(join(debian.path, 'etc/reeve/policy.yaml'), 'utf8'), policy);
  assert.equal(readFileSync(token, 'utf8'), secret);
  running = await service(s, debian);
  assert.equal(await spend(running), 200, 'a dollar is left');
  assert.equal(await spend(running), 402, 'what was spent before the upgrade still counts');
  await running.stop();
  await debian.must(['reeve', 'audit', 'verify', '-c', '/etc/reeve/reeve.yaml']);

  await debian.must(['dpkg', '-r', 'reeve']);
  assert.ok(!debian.has('usr/bin/reeve'));
  assert.equal(readFileSync(config, 'utf8'), edited);
  assert.ok(debian.has('var/lib/reeve/audit.jsonl'));
  await debian.must(['dpkg', '-i', '/tmp/second.deb']);
  running = await service(s, debian);
  assert.equal(await spend(running), 402);
  await running.stop();

  await debian.must(['dpkg', '-P', 'reeve']);
  assert.deepEqual(await listing(debian), before);
  assert.doesNotMatch(readFileSync(join(debian.path, 'etc/passwd'), 'utf8'), /reeve/);
  assert.doesNotMatch(readFileSync(join(debian.path, 'etc/group'), 'utf8'), /reeve/);
}, slow);

scenario('the archive runs where Debian has only its base', async (s) => {
  const archive = await packed(s, 'archive');
  const debian = await debianRoot(s, 'systemd', base);
  await must('tar', ['-C', join(debian.path, 'opt'), '-xzf', archive]);
  const [name] = readdirSync(join(debian.path, 'opt'));
  const home = `/opt/${name}`;
  const said = await debian.must([`${home}/bin/reeve`, '--version']);
  const libraries = readFileSync(join(debian.path, home, 'LIBRARIES'), 'utf8');
  const [loaded] = /^loaded (.*)$/m.exec(said).slice(1);
  for (const library of loaded.split(' '))
    assert.ok(libraries.includes(library), `${library} is not in LIBRARIES:\n${libraries}`);
  const ours = readdirSync(join(debian.path, home, 'lib/reeve'));
  const linked = await debian.must(['sh', '-c', `ldd ${home}/bin/reeve`]);
  assert.doesNotMatch(linked, /not found/);
  for (const library of ours)
    assert.ok(!linked.includes(`/lib/x86_64-linux-gnu/${library}`), library);
  const checked = await debian.must([
    'sh', '-c',
    `umask 077; mkdir -p /etc/reeve; cp ${
        home}/*.yaml /etc/reeve/; head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n' >/etc/reeve/admin.token; ${
        home}/bin/reeve check /etc/reeve/reeve.yaml`
  ]);
  assert.match(checked, /good/);
}, slow);

scenario('two builds in different folders are one, byte for byte', async (s) => {
  const hash = (path) => sha256(readFileSync(path));
  const archives = [];
  for (const place of ['a', 'another/place/further/down']) {
    const folder = join(s.folder(), place);
    mkdirSync(folder, {recursive: true});
    await must('sh', ['-c', 'git -C "$0" archive HEAD | tar -x -C "$1"', root, folder]);
    const env = {
      CCACHE_DISABLE: '1',  // it would give the second build what the first one made
      REEVE_COMMIT: '0123456789ab',
      SOURCE_DATE_EPOCH: '1700000000'
    };
    const out = join(folder, 'out');
    await must(join(folder, 'deploy/package'), ['archive', out], {env, ms: 3_600_000});
    archives.push(hash(join(out, readdirSync(out)[0])));
  }
  assert.equal(archives[0], archives[1]);
  assert.equal(hash(await packed(s, 'deb')), hash(await packed(s, 'deb')), 'the package');
}, slow);
