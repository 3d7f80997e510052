"""What bench/proxy measures: each program's configuration, and how it is started and called.

Every program listens on 127.0.0.1 and calls bench_origin. All but reeve only forward, HAProxy with
N rules that deny paths which nobody asks for.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("REEVE_BUILD", ROOT / "build" / "release"))
BENCH = pathlib.Path(__file__).resolve().parent
TOKEN = "bench-token-0123456789abcdef"
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, name):
    for _ in range(400):
        if process.poll() is not None:
            log = pathlib.Path(name.split("(")[-1].rstrip(")"))
            sys.exit(f"{name} ended with {process.returncode}: {log.read_text()[-400:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{name} does not listen on port {port}")


def tree(pid):
    """The process and its descendants."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            pass
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cpu_seconds(pid):
    total = 0
    for one in tree(pid):
        try:
            fields = pathlib.Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return total / TICKS


def anonymous_kib(pid):
    total = 0
    for one in tree(pid):
        try:
            status = pathlib.Path(f"/proc/{one}/status").read_text()
            total += int(re.search(r"RssAnon:\s+(\d+)", status).group(1))
        except (OSError, AttributeError):
            pass
    return total


class Machine:
    """The cores, and all that was started on them."""

    def __init__(self, folder, realtime):
        cores = sorted(os.sched_getaffinity(0))
        self.folder = folder
        self.proxy_cpu, self.load_cpu = cores[0], cores[-1]
        self.prefix = ["chrt", "-f", "20"] if realtime else []
        self.processes = []

    def on(self, cpu, command):
        pin = ["taskset", "-c", str(cpu)] if cpu is not None else []
        return [*self.prefix, *pin, *map(str, command)]

    def start(self, name, command, port, cpu, **more):
        log = open(self.folder / f"{name}.log", "w")
        process = subprocess.Popen(self.on(cpu, command), stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL, **more)
        self.processes.append(process)
        wait_for(port, process, f"{name} ({log.name})")
        return process

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


class Proxy:
    """One running program. `path` and `headers` are how it is called."""

    def __init__(self, name, process, port, path, headers=(), session=False):
        self.name, self.port, self.path = name, port, path
        self.pid = process.pid if process else None
        self.headers, self.session = list(headers), session


AUTHORIZATION = [f"Authorization: Bearer {TOKEN}"]


def rpc_body(size=500):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
               "params": {"name": "billing.refund",
                          "arguments": {"invoice": "INV-2026-001", "amount": 12.5, "note": ""}}}
    body = json.dumps(message, separators=(",", ":"))
    return body.replace('"note":""', '"note":"' + "n" * (size - len(body)) + '"')


def policy(rules):
    """`rules` rules of ten a role, each with a condition on arguments; the agent holds three roles."""
    roles = []
    for r in range(max(1, rules // 10)):
        lines = [f"  role-{r}:", "    allow:"]
        for n in range(10):
            lines.append(f"      - {{upstream: tools, tools: [area{r}.read{n}, \"area{r}.list{n}.*\"], "
                         f"when: {{args.amount: {{max: {100 + n}}}}}}}")
        roles.append("\n".join(lines))
    token = hashlib.sha256(TOKEN.encode()).hexdigest()
    return f"""version: 1
currency: USD
agents:
  bench:
    owner: bench@acme.example
    purpose: Measures what a hop costs
    team: bench
    roles: [role-0, caller]
    expires: 2099-12-31
    identity: [{{token_sha256: {token}}}]
    budget: 1000000000 USD per day
prices:
  - {{upstream: tools, tools: "billing.*", cost: 0.0001 USD}}
roles:
  caller:
    allow:
      - {{upstream: tools, tools: "billing.*", when: {{args.amount: {{max: 100}}}}}}
      - {{upstream: plain, http: "POST /**"}}
    deny:
      - {{upstream: tools, tools: "billing.*", when: {{args.amount: {{min: 50}}}}}}
""" + "\n".join(roles) + "\n"


def start_reeve(machine, name, origin, rules=1000, more="", tls_ca=None, pinned=True):
    """None when this reeve does not know what it is asked for, with its words."""
    folder = machine.folder / name
    folder.mkdir()
    port, admin = free_port(), free_port()
    (folder / "policy.yaml").write_text(policy(rules))
    scheme, tls = ("https", f", tls: {{ca: {tls_ca}}}") if tls_ca else ("http", "")
    (folder / "reeve.yaml").write_text(f"""listen: [{{name: local, address: 127.0.0.1:{port}}}]
admin: {{address: 127.0.0.1:{admin}}}
policy: policy.yaml
state: state
upstreams:
  tools: {{mcp: "{scheme}://127.0.0.1:{origin}/mcp"{tls}}}
  plain: {{http: "{scheme}://127.0.0.1:{origin}"{tls}}}
{more}""")
    check = subprocess.run([BUILD / "reeve", "check", folder / "reeve.yaml"], capture_output=True,
                           text=True, check=False)
    if check.returncode != 0:
        words = (check.stdout + check.stderr).strip().splitlines()
        return next((line for line in words if "error" in line), "reeve check failed")
    process = machine.start(name, [BUILD / "reeve", "serve", "-c", folder / "reeve.yaml"], port,
                            machine.proxy_cpu if pinned else None)
    return Proxy(name, process, port, "/tools", AUTHORIZATION)


def start_nginx(machine, name, origin, tls=None):
    """Forwards; with tls=(certificate, key) it ends TLS before the origin instead."""
    port = free_port()
    folder = machine.folder
    conf = folder / f"{name}.conf"
    listen = f"listen 127.0.0.1:{port} reuseport" + (" ssl" if tls else "")
    cert = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else ""
    conf.write_text(f"""worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log /dev/null;
user root;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    {listen}; {cert}
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
""")
    process = machine.start(name, ["nginx", "-c", conf], port,
                            machine.load_cpu if tls else machine.proxy_cpu)
    return Proxy(name, process, port, "/mcp")


def start_haproxy(machine, name, origin, rules=20, tls_ca=None, pinned=True):
    port = free_port()
    conf = machine.folder / f"{name}.cfg"
    denies = "\n".join(f"  acl r{n} path_beg /blocked/{n}/\n  http-request deny if r{n}"
                       for n in range(rules))
    tls = f" ssl verify required ca-file {tls_ca} verifyhost 127.0.0.1" if tls_ca else ""
    conf.write_text(f"""global
  maxconn 8192
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 10m
  timeout server 60s
  timeout http-keep-alive 10m
frontend f
  bind 127.0.0.1:{port}
{denies}
  default_backend b
backend b
  http-reuse always
  server origin 127.0.0.1:{origin}{tls}
""")
    process = machine.start(name, ["haproxy", "-db", "-f", conf], port,
                            machine.proxy_cpu if pinned else None)
    return Proxy(name, process, port, "/mcp")


NODE = ROOT / "tests" / "node"


def install_node_peers():
    """None when they are there, or why they are not."""
    if (BENCH / "node_modules" / "mcp-proxy").exists():
        return None
    if not shutil.which("npm"):
        return "npm is missing (deploy/install-dependencies --tests)"
    print("installing Portkey and mcp-proxy into bench/node_modules (77 MB)", file=sys.stderr)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=BENCH,
                          capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else "npm ci failed: " + done.stderr.strip()[-200:]


def start_portkey(machine, origin):
    port = free_port()
    script = BENCH / "node_modules/@portkey-ai/gateway/build/start-server.js"
    process = machine.start("portkey", [NODE, script, f"--port={port}", "--headless"], port,
                            machine.proxy_cpu,
                            env={**os.environ, "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"})
    return Proxy("portkey", process, port, "/v1/chat/completions",
                 [*AUTHORIZATION, "x-portkey-provider: openai",
                  f"x-portkey-custom-host: http://127.0.0.1:{origin}/v1"])


def start_mcp_proxy(machine):
    """It fronts servers that speak on standard input and output: here bench_origin, as such."""
    port = free_port()
    script = BENCH / "node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs"
    process = machine.start("mcp-proxy", [NODE, script, "--host", "127.0.0.1", "--port", port,
                                          "--server", "stream", "--stateless", "--",
                                          BUILD / "bench" / "bench_origin", "stdio"],
                            port, machine.proxy_cpu)
    return Proxy("mcp-proxy", process, port, "/mcp", session=True)


def make_certificate(folder):
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1,DNS:127.0.0.1", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key
