// An agent that is kept at its sidecar: on a machine of its own (a network namespace, with the
// world in another), the agent's user reaches the sidecar and nothing else by any protocol; the
// sidecar's user reaches the world. Needs root.
import {chownSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

import {must} from './debian_root.mjs';
import {agentEntry, allowAll, assert, long, policyOf, root, run, sanitized, scenario, until} from './lib.mjs';

const agentUid = 10001;
const sidecarUid = 10700;
const world4 = '198.51.100.1';
const world6 = '2001:db8::1';

// Tells what becomes of one try: `sent`, a line that came back, or the error's name.
const probe = `
import errno, socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
try:
    if kind == "tcp":
        s = socket.create_connection((host, port), 5)
        s.sendall(sys.argv[4].encode().decode("unicode_escape").encode() if len(sys.argv) > 4 else b"GET / HTTP/1.0\\r\\n\\r\\n")
        print(s.recv(200).split(b"\\r\\n")[0].decode())
    else:
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.settimeout(5)
        s.connect((host, port))
        s.send(b"x")
        print(s.recv(10).decode())
except OSError as e:
    print(errno.errorcode.get(e.errno, "timeout"))
`;
// Answers TCP with 200, and UDP with what came.
const server = `
import http.server, socket, socketserver, sys, threading
port = int(sys.argv[1])
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *a): pass
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
class Echo(socketserver.BaseRequestHandler):
    def handle(self): self.request[1].sendto(self.request[0], self.client_address)
class Udp(socketserver.ThreadingUDPServer):
    address_family = socket.AF_INET6
threading.Thread(target=Udp(("::", port), Echo).serve_forever, daemon=True).start()
Server(("::", port), Answer).serve_forever()
`;

async function machine(s) {
  const id = process.pid;
  const [host, world] = [`reeve-h${id}`, `reeve-w${id}`];
  for (const name of [host, world]) {
    await must('ip', ['netns', 'add', name]);
    s.defer(() => run('ip', ['netns', 'delete', name]));
  }
  const ip = (name, ...words) => must('ip', ['-n', name, ...words]);
  await ip(host, 'link', 'add', 'out', 'type', 'veth', 'peer', 'name', 'in', 'netns', world);
  for (const [name, link, four, six] of [
           [host, 'out', '198.51.100.2/24', '2001:db8::2/64'],
           [world, 'in', `${world4}/24`, `${world6}/64`]]) {
    await ip(name, 'link', 'set', 'lo', 'up');
    await ip(name, 'address', 'add', four, 'dev', link);
    await ip(name, '-6', 'address', 'add', six, 'dev', link, 'nodad');
    await ip(name, 'link', 'set', link, 'up');
  }
  const as = (name, user, group) =>
      ['ip', 'netns', 'exec', name, 'setpriv', `--reuid=${user}`, `--regid=${group}`,
       '--clear-groups'];
  const serve = (name, port) => {
    const [program, ...args] = as (name, 0, 0);
    const running =
        run(program, [...args, '/usr/bin/python3', '-c', server, String(port)], {ms: 200_000});
    running.catch(() => {});
    s.defer(async () => {
      await run('sh', ['-c', 'ip netns pids "$0" | xargs -r kill -9', name]);
      await running.catch(() => {});
    });
  };
  serve(world, 80);
  serve(host, 9000);
  // What `user` gets for one try.
  const reach = async (user, kind, address, port, {group = user, text} = {}) => {
    const [program, ...args] = as (host, user, group);
    const words =
        ['/usr/bin/python3', '-c', probe, kind, address, String(port), ...(text ? [text] : [])];
    return (await must(program, [...args, ...words])).trim();
  };
  for (const [address, port] of [[world4, 80], [world6, 80], ['127.0.0.1', 9000]])
    await until(
        async () => (await reach(0, 'tcp', address, port)).includes('200'), `${address} ${port}`);
  return {host, as, reach};
}

// As reeve-agents.service runs it.
async function keep({host}, agents, listeners) {
  const unit = readFileSync(join(root, 'deploy/debian/reeve-agents.service'), 'utf8');
  const [program, ...args] = /^ExecStart=(.*)$/m.exec(unit)[1].split(' ').map(
      (word) => word.replace('${AGENTS}', agents)
                    .replace('${LISTENERS}', listeners)
                    .replace('/usr/share/reeve', join(root, 'deploy/nftables')));
  await must('ip', ['netns', 'exec', host, program, ...args]);
}

scenario(
    'an agent\'s user reaches its sidecar and nothing else; the sidecar\'s user the world',
    async (s) => {
      const here = await machine(s);
      const jordan = agentEntry('jordan');
      const prepared = await s.configure({
        policy: policyOf([jordan], allowAll('world')),
        upstreams: {world: {http: `http://${world4}`}},
        under: here.as(here.host, sidecarUid, sidecarUid)
      });
      for (const path
               of [prepared.folder, join(prepared.folder, 'reeve.yaml'),
                   join(prepared.folder, 'policy.yaml')])
        chownSync(path, sidecarUid, sidecarUid);
      const {port, adminPort} = s.launch(prepared);
      await until(
          async () => (await here.reach(0, 'tcp', '127.0.0.1', adminPort, {
                        text: `GET /readyz HTTP/1.1\\r\\nHost: 127.0.0.1:${
                            adminPort}\\r\\nConnection: close\\r\\n\\r\\n`
                      })).includes('200'),
          '/readyz');
      const through = `GET /world/ HTTP/1.1\\r\\nHost: 127.0.0.1:${
          port}\\r\\nConnection: close\\r\\nAuthorization: Bearer ${jordan.token}\\r\\n\\r\\n`;
      const ways = [
        ['tcp', world4, 80], ['tcp', world6, 80], ['udp', world4, 80], ['udp', world6, 80],
        ['tcp', '127.0.0.1', 9000], ['tcp', '::1', 9000], ['udp', '127.0.0.1', 9000],
        ['udp', '::1', 9000], ['tcp', '127.0.0.1', adminPort]
      ];
      const refused = (said) =>
          /^(ECONNREFUSED|ECONNRESET|EACCES|EPERM|EHOSTUNREACH|ENETUNREACH)$/.test(said);
      const outcomes = (user, options) =>
          Promise.all(ways.map((way) => here.reach(user, ...way, options)));

      for (const said of await outcomes(agentUid))
        assert.ok(!refused(said), `before the rules: ${said}`);
      await keep(here, `{ ${agentUid}, 20000-20010 }`, `{ ${port} }`);
      const look = async () => {
        for (const options of [{}, {group: agentUid}]) {
          for (const user of options.group ? [4711] : [agentUid, 20005]) {
            const said = await outcomes(user, options);
            for (const [i, each] of said.entries())
              assert.ok(
                  refused(each),
                  `${ways[i].join(' ')} as ${user} ${JSON.stringify(options)}: ${each}`);
          }
        }
        assert.match(
            await here.reach(agentUid, 'tcp', '127.0.0.1', port, {text: through}), / 200 /);
        for (const user of [sidecarUid, 0, 30000]) {
          for (const [i, each] of (await outcomes(user)).entries())
            assert.ok(!refused(each), `${ways[i].join(' ')} as ${user}: ${each}`);
        }
      };
      await look();
      // Once more, as a restart of the service does: nothing doubles, nothing opens.
      await keep(here, `{ ${agentUid}, 20000-20010 }`, `{ ${port} }`);
      const rules = await must('ip', ['netns', 'exec', here.host, 'nft', 'list', 'ruleset']);
      assert.equal(rules.match(/jump agent/g).length, 2, rules);
      await look();
      const counted = await must(
          'ip', ['netns', 'exec', here.host, 'nft', 'list', 'table', 'inet', 'reeve_agents']);
      assert.match(counted, /counter packets [1-9]/);
    },
    {skip: !long || sanitized || process.getuid() !== 0});
