// The quickstart's three agents: makes their calls through the sidecar, HTTP with curl and MCP with
// the official client, and prints what became of each and why, from the answers and from the
// sidecar's own record and metrics.
//
//   demo.mjs WORK                  the calls; fails if one does not come out as written below
//   demo.mjs --how-to-call WORK    only prints how to call the sidecar that is running
//
// Ports and secrets are in the environment, as examples/quickstart sets them. WORK/calls.jsonl
// gets, for each call, what was asked and what was decided.
import {execFile} from 'node:child_process';
import {createHash} from 'node:crypto';
import {appendFileSync, readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {basename, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';

import {agents} from './calls.mjs';

// One lock file serves tests and examples: tests/package-lock.json.
const {Client, StreamableHTTPClientTransport} = createRequire(
    new URL('../../tests/package.json', import.meta.url))('@modelcontextprotocol/client');

const env = process.env;
const sidecar = `http://127.0.0.1:${env.REEVE_PORT}`;
const admin = `http://127.0.0.1:${env.REEVE_ADMIN_PORT}`;
const root = fileURLToPath(new URL('../..', import.meta.url));
const near = (path) => relative(process.cwd(), path) || '.';
const policy = near(fileURLToPath(new URL('policy.yaml', import.meta.url)));
const token = (agent) => `demo-token-of-${agent}`;

// ---- printing

const colours = process.stdout.isTTY && !env.NO_COLOR && env.TERM !== 'dumb';
const paint = (code, text) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
const dim = (text) => paint(2, text);
const bold = (text) => paint(1, text);
const say = (text = '') => console.log(text);
const verdicts = {
  allow: paint(32, 'allowed'),
  deny: paint(31, 'denied '),
  capped: paint(33, 'capped ')
};
let surprises = 0;
process.stdout.on('error', () => process.exit(1));  // nobody reads on

function row(verdict, what, ...lines) {
  say(`  ${verdicts[verdict]}  ${what.padEnd(42)} ${lines[0]}`);
  for (const line of lines.slice(1).filter(Boolean))
    say(`  ${''.padEnd(7)}  ${''.padEnd(42)} ${dim(line)}`);
}

// `0.9 USD` as people write it.
function money(amount) {
  const [number, currency] = String(amount).split(' ');
  return `${Number(number).toFixed(2)} ${currency}`;
}

function surprise(text) {
  surprises += 1;
  say(paint('1;31', `  UNEXPECTED: ${text}`));
}

// ---- the record and the metrics

const audit = `${env.REEVE_STATE}/audit.jsonl`;
const auditText = () => readFileSync(audit, 'utf8').split('\n').filter(Boolean);
const record = () => auditText().map((line) => JSON.parse(line));

// What the sidecar wrote down about the last call that looks like this.
const decided = (agent, upstream, action) =>
    record().findLast(
        (line) => line.kind === 'decision' && line.agent === agent && line.upstream === upstream &&
            line.action === action) ??
    {};

// Each line's hash is over its own bytes, which hold the hash of the line before.
function chainHolds() {
  let previous = '0'.repeat(64);
  return auditText().every((line) => {
    const at = line.lastIndexOf(',"hash":"');
    const hash = createHash('sha256').update(`${line.slice(0, at)}}`).digest('hex');
    const {prev, hash: stated} = JSON.parse(line);
    const holds = prev === previous && hash === stated;
    previous = stated;
    return holds;
  });
}

async function metrics() {
  return (await (await fetch(`${admin}/metrics`)).text())
      .split('\n')
      .filter((line) => !line.startsWith('#'));
}

async function spent() {
  const lines = await metrics();
  const used = lines.find(
      (line) => line.startsWith('reeve_budget_used') && line.includes('"analytics-daily"'));
  return `${Number(used?.split(' ').pop()).toFixed(2)} of 1.00 USD spent today`;
}

// ---- calls

async function curl(agent, method, path, body) {
  const args = [
    '-sS', '--noproxy', '*', '-X', method, '-w', '\n%{http_code}', '-H',
    `Authorization: Bearer ${token(agent)}`
  ];
  if (body) args.push('-H', 'Content-Type: application/json', '-d', body);
  const {stdout} = await promisify(execFile)('curl', [...args, `${sidecar}/${path}`]);
  const end = stdout.lastIndexOf('\n');
  const text = stdout.slice(0, end);
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = text;
  }
  return {status: Number(stdout.slice(end + 1)), answer};
}

// {verdict, answer, reason, status}: reason is what the agent was told.
async function makeHttpCall(agent, call) {
  const [method, path] = call.http.split(' ');
  const {status, answer} = await curl(agent, method, path, call.body);
  const verdict = status === 402 ? 'capped' : status >= 400 ? 'deny' : 'allow';
  return {verdict, answer, status, reason: answer?.because ?? answer?.detail};
}

async function makeToolCall(client, call) {
  const answer = await client.callTool({name: call.tool.split(' ')[1], arguments: call.args});
  const verdict = answer.isError ? 'deny' : 'allow';
  return {verdict, answer, status: 200, reason: answer.content?.[0]?.text};
}

async function show(agent, call, client) {
  const {verdict, answer, status, reason} =
      call.http ? await makeHttpCall(agent, call) : await makeToolCall(client, call);
  const [method, path] = (call.http ?? `tools/call ${call.tool}`).split(' ');
  const upstream = call.http ? path.split('/')[0] : path;
  const line = decided(agent, upstream, method);
  const what = call.http ?? call.tool;
  const rule = line.rule && `rule ${line.rule}, ${basename(line.at)}`;
  if (verdict === 'allow') {
    row('allow', what, call.show ? call.show(answer) : await spent());
  } else if (verdict === 'capped') {
    row('capped', what,
        `${status} 0.30 more would pass ${money(answer.limit)} (${money(answer.used)} is used)`,
        `budget ${answer.budget}, resets ${answer.resets}`);
  } else {
    row('deny', what, call.http ? `${status} ${line.because ?? 'no rule allows it'}` : line.because,
        rule);
  }

  const [wanted, name] =
      ['allow', 'deny', 'capped'].filter((key) => key in call).map((key) => [key, call[key]])[0];
  if (verdict !== wanted) surprise(`${wanted} was due, ${verdict} came: ${JSON.stringify(answer)}`);
  const found = verdict === 'capped' ? answer.budget : line.rule;
  if (name ? found !== name : verdict === 'deny' && found)
    surprise(`${name ?? 'no rule'} was due, ${found} decided`);
  if (verdict !== 'allow' && !reason) surprise('the agent was not told why');
  const question = call.http ? {http: `${method} ${path.slice(upstream.length)}`, body: call.body} :
                               {tool: call.tool.split(' ')[1], args: call.args};
  note({
    agent,
    upstream,
    ...question,
    decision: line.decision,
    reason: line.reason,
    rule: line.rule,
    budget: line.budget
  });
}

async function showList(agent, call, client, all) {
  const tools = (await client.listTools()).tools.map((tool) => tool.name);
  row('allow', `${call.list} tools/list`, `sees ${tools.length} of ${all.length} tools:`,
      tools.join(', '));
  if (tools.join() !== call.sees.join()) surprise(`${call.sees.join(', ')} were due`);
}

const note = (entry) =>
    appendFileSync(`${process.argv[2]}/calls.jsonl`, `${JSON.stringify(entry)}\n`);

async function connect(url, headers) {
  const client = new Client({name: 'reeve-quickstart', version: '1'});
  await client.connect(new StreamableHTTPClientTransport(new URL(url), {requestInit: {headers}}));
  return client;
}

async function act(agent, all) {
  say(`${bold(agent.name)}, ${agent.role}`);
  const needsMcp = agent.calls.some((call) => call.tool || call.list);
  const client = needsMcp &&
      await connect(`${sidecar}/toolbox`, {Authorization: `Bearer ${token(agent.name)}`});
  for (const call of agent.calls) {
    if (call.list)
      await showList(agent.name, call, client, all);
    else
      await show(agent.name, call, client);
  }
  await client?.close?.();
  say();
}

// ---- what is left behind

async function showStrangers() {
  say(`${bold('nobody')}, a caller without a token or with a wrong one`);
  for (const who of ['', 'mallory']) {
    const header = who ? ['-H', `Authorization: Bearer ${token(who)}`] : [];
    const {stdout} = await promisify(execFile)('curl', [
      '-sS', '--noproxy', '*', '-w', '\n%{http_code}', ...header, `${sidecar}/crm/customers/c-1042`
    ]);
    const [body, status] = stdout.split('\n');
    row('deny', 'GET crm/customers/c-1042', `${status} ${JSON.parse(body).detail}`);
    if (status !== '401') surprise('401 was due');
  }
  say();
}

async function showApi() {
  const {calls, credentials} = await (await fetch(`http://127.0.0.1:${env.API_PORT}/seen`)).json();
  const allowed =
      agents.flatMap((agent) => agent.calls).filter((call) => call.http && call.allow).length;
  say(`${bold('the API')} saw ${
      calls} calls, all with its own key; no agent has that key, and no agent's token got there`);
  if (calls !== allowed) surprise(`${allowed} calls were allowed`);
  if (Object.keys(credentials).join() !== `Bearer ${env.API_KEY}`)
    surprise('another credential reached the API');
  say();
}

function showRecord() {
  const lines = record();
  say(`${bold('the record')} ${near(audit)}: ${
      lines.length} lines in a hash chain, two for each call`);
  if (!chainHolds()) surprise('the hash chain does not hold');
  const outcomes =
      new Map(lines.filter((line) => line.kind === 'outcome').map((line) => [line.call, line]));
  say(dim(`  line agent  ${'call'.padEnd(46)} ${'decision'.padEnd(31)} line status`));
  let others = 0;
  for (const line of lines.filter((each) => each.kind === 'decision')) {
    const outcome = outcomes.get(line.call);
    if (line.protocol === 'mcp' && line.action !== 'tools/call') {
      others += 1;
      continue;
    }
    if (!outcome) surprise(`no outcome line for ${line.call}`);
    const call = [line.action, line.upstream, line.target].filter(Boolean).join(' ');
    const by = line.reason === 'rule' ? line.rule : line.budget ?? line.reason;
    const decision = by && by !== line.decision ? `${line.decision} by ${by}` : line.decision;
    say(dim(
        `  ${String(line.seq).padStart(4)} ${(line.agent ?? '-').padEnd(6)} ${call.padEnd(46)} ` +
        `${decision.padEnd(31)} ${String(outcome?.seq).padStart(4)} ${outcome?.status}` +
        `${outcome?.cost ? ` cost ${outcome.cost}` : ''}`));
  }
  say(dim(`       and ${others} MCP calls to begin and end sessions and to list tools`));
  say();
}

async function showMetrics() {
  say(`${bold('the metrics')} ${admin}/metrics, for Prometheus`);
  const wanted =
      /^reeve_(calls.*action="([A-Z]+|tools.call)"|spend_total|budget_(used|limit).*analytics)/;
  const lines = (await metrics()).filter((line) => wanted.test(line) && !line.endsWith(' 0'));
  if (!lines.some(
          (line) => line.startsWith('reeve_spend_total') &&
              Number(line.split(' ').pop()).toFixed(2) === '0.90')) {
    surprise('0.90 USD should have been counted as spent');
  }
  for (const line of lines)
    if (!line.includes('upstream="toolbox",action="GET"')) say(dim(`  ${line}`));
  say();
}

function showNext(work) {
  const reeve = near(env.REEVE_BINARY || `${root}build/release/reeve`);
  const rows = [
    [`${near(`${root}examples/quickstart`)} --serve`, 'stays up for a client of your own'],
    [`${reeve} explain -p ${policy} --agent casey --upstream finance --http 'GET /invoices'`, ''],
    [`${reeve} test ${policy.replace('policy.yaml', 'tests.yaml')}`, 'the policy\'s own tests'],
    [`tail -n 2 ${near(work)}/state/audit.jsonl`, 'the last call in the record, as it is'],
  ];
  say(`${bold('to go on')}: edit ${policy}, then`);
  for (const [command, what] of rows) say(`  ${command}${what && dim(`   # ${what}`)}`);
}

function showHowToCall() {
  say(`${bold('the sidecar is up')} at ${sidecar} (Ctrl-C ends it); the policy is ${policy}`);
  say();
  for (const [agent, call] of [
           ['casey', 'crm/customers/c-1042'], ['casey', 'finance/invoices'],
           ['parker', 'contracts/k-3']]) {
    say(`  curl -H 'Authorization: Bearer ${token(agent)}' ${sidecar}/${call}`);
  }
  say(`  MCP (Streamable HTTP): ${sidecar}/toolbox with the header Authorization: Bearer ${
      token('avery')}`);
  say();
  say(`  record:  ${near(audit)}`);
  say(`  metrics: ${admin}/metrics`);
}

async function main(work) {
  const direct = await connect(`http://127.0.0.1:${env.TOOLBOX_PORT}/mcp`, {});
  const all = (await direct.listTools()).tools;
  await direct.close();
  say();
  say(`${bold('reeve')} stands between three agents and an MCP server (${
      all.length} tools) and an HTTP API.`);
  say(`Who may do what is in ${policy}.`);
  say();
  for (const agent of agents) await act(agent, all);
  await showStrangers();
  await showApi();
  showRecord();
  await showMetrics();
  showNext(work);
  process.exitCode = surprises ? 1 : 0;
}

if (process.argv[2] === '--how-to-call')
  showHowToCall();
else
  await main(process.argv[2]);
