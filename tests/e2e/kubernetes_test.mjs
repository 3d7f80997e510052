// The chart and the manifest rendered from it: by Kubernetes' schemas, by helm, and by what they
// promise; the configuration in them is that of a sidecar that starts.
import {mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

import {documents, faults, helm} from './kubernetes.mjs';
import {agentEntry, allowAll, assert, call, freePort, newToken, policyOf, reeve, root, scenario, until} from './lib.mjs';

const chart = join(root, 'deploy/helm/reeve');
const render = async (...set) => documents(await helm(
    'template', 'casey', chart, '--namespace', 'agents',
    ...set.flatMap((each) => ['--set', each])));
const ofKind = (objects, kind) => objects.filter((object) => object.kind === kind);
const pod = (objects) => ofKind(objects, 'StatefulSet')[0].spec.template.spec;
const data = (objects, name) =>
    ofKind(objects, 'ConfigMap').find((map) => name in map.data).data[name];

scenario('the manifest is what the chart gives', async () => {
  await helm('lint', '--strict', chart);
  const fresh = await helm('template', 'casey', chart, '--namespace', 'agents');
  assert.equal(
      readFileSync(join(root, 'deploy/kubernetes/agent.yaml'), 'utf8'), fresh,
      'helm template casey deploy/helm/reeve --namespace agents >deploy/kubernetes/agent.yaml');
});

scenario('every object is right by its schema, whatever is switched off', async () => {
  const all = await render();
  assert.deepEqual(
      all.map((object) => object.kind).sort(),
      ['ConfigMap', 'ConfigMap', 'NetworkPolicy', 'PodMonitor', 'StatefulSet']);
  for (const set of [
           [], ['keep.enabled=false'], ['networkPolicy.enabled=false', 'podMonitor.enabled=false'],
           ['agent.command={run,--fast}', 'state.storageClassName=fast']]) {
    for (const object of await render(...set))
      assert.deepEqual(await faults(object), [], `${object.kind} with ${set}`);
  }
  assert.deepEqual(
      (await render('networkPolicy.enabled=false', 'podMonitor.enabled=false'))
          .map((object) => object.kind)
          .sort(),
      ['ConfigMap', 'ConfigMap', 'StatefulSet']);
});

scenario('the schemas find what is wrong', async () => {
  const objects = await render();
  const [reeveContainer] = pod(objects).initContainers.filter(({name}) => name === 'reeve');
  reeveContainer.restartPolicy = 3;
  reeveContainer.livenesProbe = {};
  const found = await faults(ofKind(objects, 'StatefulSet')[0]);
  assert.equal(found.length, 2, found.join('\n'));
  assert.match(found[0], /restartPolicy: type/);
  assert.match(found[1], /livenesProbe/);
});

scenario(
    'the sidecar is native, has a user of its own, and nothing that it does not need', async () => {
      const spec = pod(await render());
      assert.equal(spec.automountServiceAccountToken, false);
      assert.equal(spec.shareProcessNamespace, false);
      assert.deepEqual(spec.securityContext.seccompProfile, {type: 'RuntimeDefault'});
      assert.deepEqual(spec.initContainers.map(({name}) => name), ['keep', 'reeve']);
      const [keep, sidecar] = spec.initContainers;
      const [agent] = spec.containers;
      assert.equal(sidecar.restartPolicy, 'Always');
      for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'])
        assert.equal(sidecar[probe].httpGet.port, 'reeve-admin');
      for (const container of [keep, sidecar, agent]) {
        assert.deepEqual(container.securityContext.capabilities.drop, ['ALL']);
        assert.equal(container.securityContext.allowPrivilegeEscalation, false);
        assert.ok(container.resources.limits.memory && container.resources.requests.memory);
      }
      assert.ok(
          sidecar.securityContext.runAsNonRoot && sidecar.securityContext.readOnlyRootFilesystem);
      assert.deepEqual(keep.securityContext.capabilities.add, ['NET_ADMIN']);
      assert.equal(agent.securityContext.capabilities.add, undefined);
      const [ours, theirs] = [sidecar, agent].map(({securityContext}) => securityContext.runAsUser);
      assert.ok(ours !== theirs && theirs !== 0);
      assert.ok(keep.args.includes(`agents={ ${theirs} }`));
      // The agent has its own token, and no file of the sidecar's.
      assert.equal(agent.volumeMounts, undefined);
      assert.deepEqual(
          agent.env.filter((each) => each.valueFrom).map(({name}) => name), ['REEVE_TOKEN']);
      // A file by subPath would never change.
      for (const mount of sidecar.volumeMounts) assert.equal(mount.subPath, undefined);
      const port = /:(\d+)"/.exec(data(await render(), 'reeve.yaml'))[1];
      assert.ok(keep.args.includes(`listeners={ ${port} }`));
    });

scenario(
    'its configuration is good, and a changed ConfigMap is in force without a restart',
    async (s) => {
      const objects = await render();
      const folder = s.folder();
      const [port, adminPort] = [await freePort(), await freePort()];
      const origin = await s.origin();
      // As the kubelet mounts a ConfigMap or Secret: files are links through `..data`, which is
      // swapped.
      let versions = 0;
      const mount = (name, files) => {
        const at = join(folder, name);
        const version = `..version-${++versions}`;
        mkdirSync(join(at, version), {recursive: true});
        for (const [file, text] of Object.entries(files)) {
          writeFileSync(join(at, version, file), text);
          if (versions <= 3) symlinkSync(join('..data', file), join(at, file));
        }
        symlinkSync(version, join(at, '..fresh'));
        renameSync(join(at, '..fresh'), join(at, '..data'));
      };
      const token = newToken();
      mount('secret', {'admin-token': token, 'openai-key': 'a-key-of-the-upstream'});
      mount('policy', {'policy.yaml': data(objects, 'policy.yaml')});
      mount('wiring', {
        'reeve.yaml': data(objects, 'reeve.yaml')
                          .replaceAll('/etc/reeve', folder)
                          .replace('/var/lib/reeve', join(folder, 'state'))
                          .replace('https://api.openai.com', origin.url())
                          .replace(':8700', `:${port}`)
                          .replace(':8701', `:${adminPort}`)
      });
      const checked = await reeve('check', join(folder, 'wiring/reeve.yaml'));
      assert.equal(checked.code, 0, checked.out + checked.err);
      assert.match(checked.out + checked.err, /0 errors, 0 warnings/);

      const sidecar = s.launch(
          {folder: join(folder, 'wiring'), port, adminPort, env: {REEVE_ADMIN_TOKEN: token}});
      // A probe asks by the pod's address.
      await until(
          async () => (await call(adminPort, 'GET', '/readyz', {
                         headers: {Host: `10.1.2.3:${adminPort}`}
                       }).catch(() => ({})))
                          .status === 200,
          '/readyz by the address of a pod');
      const jordan = agentEntry('jordan');
      assert.equal((await sidecar.call('GET', '/openai/x', {token: jordan.token})).status, 401);
      mount('policy', {'policy.yaml': policyOf([jordan], allowAll('openai'))});
      await until(
          async () =>
              (await sidecar.call('GET', '/openai/x', {token: jordan.token})).status !== 401,
          'the new policy');
      mount('policy', {'policy.yaml': 'version: 1\nagents: {'});
      await until(
          async () => (await sidecar.metric('reeve_policy_reloads_total', {result: 'error'})) === 1,
          'a refusal of half a policy');
      assert.notEqual((await sidecar.call('GET', '/openai/x', {token: jordan.token})).status, 401);
    });
