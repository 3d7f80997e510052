// A minimal Debian in a folder, for tests that install a package or start a program where nothing
// of the machine is at hand. Needs root. debootstrap makes it once, under build/; each test has a
// copy.
import {cpSync, existsSync, mkdirSync, renameSync, rmSync} from 'node:fs';
import {join} from 'node:path';

import {assert, root, run} from './lib.mjs';

const minutes = 60_000;

export async function must(command, args, options = {}) {
  const result = await run(command, args, {ms: 10 * minutes, ...options});
  assert.equal(
      result.code, 0,
      `${command} ${args.join(' ')}\n${result.out.slice(-4000)}${result.err.slice(-4000)}`);
  return result.out;
}

// The archive of a root with `packages`; made where there is none yet.
export async function archiveOf(name, packages) {
  const folder = join(root, 'build/test-roots');
  const archive = join(folder, `${name}.tar`);
  if (existsSync(archive)) return archive;
  mkdirSync(folder, {recursive: true});
  const made = join(folder, `${name}.${process.pid}`);
  await must(
      'debootstrap', ['--variant=minbase', `--include=${packages.join(',')}`, 'bookworm', made]);
  await must('tar', ['-C', made, '--numeric-owner', '-cf', `${made}.tar`, '.']);
  renameSync(`${made}.tar`, archive);
  rmSync(made, {recursive: true, force: true});
  return archive;
}

export class DebianRoot {
  constructor(path) {
    this.path = path;
  }
  // Runs a program in the root, as root or as `user`, in a mount namespace of its own with /proc.
  command(words, {user} = {}) {
    const inside =
        user ? ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups', ...words] : words;
    return [
      'unshare', '--mount', 'sh', '-c',
      'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"',
      this.path, ...inside
    ];
  }
  run(words, options = {}) {
    const [program, ...args] = this.command(words, options);
    const env = {
      DEBIAN_FRONTEND: 'noninteractive',
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LC_ALL: 'C.UTF-8'
    };
    return run(program, args, {ms: 10 * minutes, env, ...options});
  }
  async must(words, options) {
    const result = await this.run(words, options);
    assert.equal(result.code, 0, `in the root: ${words.join(' ')}\n${result.out}${result.err}`);
    return result.out;
  }
  has(path) {
    return existsSync(join(this.path, path));
  }
  copy(from, to) {
    cpSync(from, join(this.path, to));
  }
}

// A fresh copy for a scenario.
export async function debianRoot(s, name, packages) {
  const archive = await archiveOf(name, packages);
  const path = s.folder('reeve-root-');
  await must('tar', ['-C', path, '--numeric-owner', '-xpf', archive]);
  cpSync('/etc/resolv.conf', join(path, 'etc/resolv.conf'));
  return new DebianRoot(path);
}
