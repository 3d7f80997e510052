// What the console's tests share: a sidecar with several agents at work, and its page in a browser.
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';

import {openBrowser, page} from './browser.mjs';
import {agentEntry, assert, call, newToken, sha256} from './lib.mjs';

export const people = ['lee@acme.example', 'vic@acme.example', 'opal@acme.example'];

const entry = (name, owner, purpose, team, more = '') => {
  const agent = agentEntry(name);
  agent.yaml = agent.yaml.replace('dana@acme.example', owner)
                   .replace('purpose: Testing', `purpose: ${purpose}`)
                   .replace('team: testers', `team: ${team}`) +
      more;
  return agent;
};

// An office with three agents: refunds above 100 are asked for, deletions are refused, some cost.
export function office({budget = '5 USD per day'} = {}) {
  const agents = {
    casey: entry(
        'casey', 'dana@acme.example', 'Answers customers and refunds orders', 'support',
        `    risk: limited\n    budget: ${budget}\n`),
    parker: entry(
        'parker', 'femi@acme.example', 'Compares suppliers and prepares orders', 'purchasing',
        '    budget: 2 USD per day\n    expires: 2030-12-31\n'),
    avery: entry('avery', 'ines@acme.example', 'Answers questions about sales', 'data'),
  };
  const policy = `version: 1
currency: USD
agents:
${Object.values(agents).map((agent) => agent.yaml).join('')}roles:
  worker:
    deny:
      - {id: no-deletions, upstream: crm, http: "DELETE /**", because: Nothing is deleted without its owner}
      - {id: no-finance, upstream: finance, because: These agents never touch finance}
    ask:
      - id: big-refunds
        upstream: crm
        http: "POST /refunds"
        when: {args.amount: {above: 100}}
        approvers: leads
        within: 30m
        because: Refunds above 100 need a lead
    allow:
      - {id: work-in-crm, upstream: crm, http: ["GET /**", "POST /**"]}
      - {id: search, upstream: maps, http: "GET /**"}
approvers:
  leads: {members: [${people.join(', ')}]}
budgets:
  maps-quarterly: {for: {team: support}, upstream: maps, limit: 400 calls per quarter, warn: 80%}
  everybody: {for: everyone, limit: 50 USD per month}
prices:
  - {upstream: crm, http: "POST /**", cost: 0.25 USD}
  - {upstream: maps, http: "GET /**", cost: 0.005 USD}
`;
  return {agents, policy};
}

// An hour's record in `folder`, chained as the sidecar chains it, which goes on with it.
function writePast(folder) {
  const lines = [];
  let prev = '0'.repeat(64);
  const add = (kind, at, members) => {
    const line = `{"v":1,"seq":${lines.length + 1},"time":"${
        new Date(at).toISOString().replace('Z', '000Z')}","kind":"${kind}"${
        JSON.stringify(members).replace(/^\{/, ',').slice(0, -1)},"prev":"${prev}"`;
    prev = sha256(`${line}}`);
    lines.push(`${line},"hash":"${prev}"}`);
  };
  const shapes = {
    casey: [30, (i) => ['crm', 'GET', `/customers/${4000 + i}`, 'allow', 'work-in-crm']],
    parker: [19, (i) => ['maps', 'GET', '/route', 'allow', 'search']],
    avery: [
      24,
      (i) => i % 9 === 4 ? ['finance', 'GET', '/invoices', 'deny', 'no-finance'] :
                           ['crm', 'GET', '/sales', 'allow', 'work-in-crm']
    ],
  };
  for (let minute = 58; minute > 1; --minute) {
    Object.entries(shapes).forEach(([agent, [most, shape]], which) => {
      const calls =
          Math.max(0, Math.round(most * (0.6 + 0.5 * Math.sin(minute / (4 + 3 * which)))));
      for (let i = 0; i < calls; ++i) {
        const [upstream, action, target, decision, rule] = shape(minute + i);
        const at = Date.now() - minute * 60_000 + i * 1200;
        const who = {
          call: `past-${minute}-${agent}-${i}`,
          agent,
          upstream,
          protocol: 'http',
          action,
          target
        };
        add('decision', at, {...who, decision, reason: 'rule', rule});
        add('outcome', at, {...who, decision, status: decision === 'allow' ? 200 : 403});
      }
    });
  }
  mkdirSync(`${folder}/state`, {recursive: true, mode: 0o700});
  writeFileSync(
      `${folder}/state/audit.jsonl`, lines.map((line) => `${line}\n`).join(''), {mode: 0o600});
}

// The office behind a sidecar, with people of each role; `past`: it has been at work for an hour.
export async function start(
    s, {policy, agents, people: named = true, past = false, config = {}} = office()) {
  const origin = await s.origin();
  const tokens = {lee: newToken(), vic: newToken(), opal: newToken()};
  const wiring = await s.configure({
    policy,
    upstreams: Object.fromEntries(
        ['crm', 'maps', 'finance'].map((name) => [name, {http: origin.url(`/${name}`)}])),
    config,
  });
  if (named) {
    const file = `${wiring.folder}/reeve.yaml`;
    const text = JSON.parse(readFileSync(file, 'utf8'));
    text.admin.people = [
      {name: people[0], role: 'approver', token_sha256: sha256(tokens.lee)},
      {name: people[1], role: 'viewer', token_sha256: sha256(tokens.vic)},
      {name: people[2], role: 'operator', token_sha256: sha256(tokens.opal)},
    ];
    writeFileSync(file, JSON.stringify(text));
  }
  if (past) writePast(wiring.folder);
  const sidecar = await s.launch(wiring).ready();
  const as = (agent, method, path, body) =>
      sidecar.call(method, path, {token: agents[agent].token, body});
  return {origin, sidecar, tokens, agents, as, url: `http://127.0.0.1:${sidecar.adminPort}/`};
}

// A day's work in a minute: some of everything that the console shows.
export async function work({as}, rounds = 8) {
  for (let i = 0; i < rounds; ++i) {
    assert.equal((await as ('casey', 'GET', `/crm/customers/${4711 + i}`)).status, 200);
    if (i % 2 === 0)
      await as ('casey', 'POST', `/crm/tickets/${80 + i}/replies`, {text: 'On its way'});
    await as ('parker', 'GET', `/maps/route?to=depot-${i}`);
    if (i % 3 === 0)
      await as ('parker', 'POST', '/crm/orders', {supplier: 'Nordic Paper', total: 1200 + i});
    await as ('avery', 'GET', `/crm/sales?week=${i}`);
    if (i % 3 === 1) await as ('avery', 'DELETE', `/crm/customers/${i}`);
    if (i % 4 === 2) await as ('avery', 'GET', '/finance/invoices');
  }
}

// The page, with someone signed in.
export async function open(s, url, token, options = {}) {
  const browser = options.browser ?? await openBrowser(s);
  const opened = await page(browser, url, options);
  if (token) await signIn(opened, token);
  return opened;
}
export async function signIn(opened, token) {
  await opened.getByLabel('Your token').fill(token);
  await opened.getByRole('button', {name: 'Sign in'}).click();
  await opened.getByRole('navigation', {name: 'Views'}).waitFor();
}
export const text = (opened, selector) => opened.locator(selector).innerText();

// An exchange with the admin side as a browser's page would make it.
export function asPage(
    sidecar, method, path,
    {cookie, origin = `http://127.0.0.1:${sidecar.adminPort}`, site, token, body, headers = {}} =
        {}) {
  return call(sidecar.adminPort, method, path, {
    token,
    body,
    headers: {
      ...(origin && {Origin: origin}),
      ...(site && {'Sec-Fetch-Site': site}),
      ...(cookie && {Cookie: cookie}),
      ...headers
    }
  });
}
