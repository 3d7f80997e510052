// The console's side of the sidecar without a browser: its files, signing in, whose requests count,
// what each role may, what it asks of the record; and the screenshots' counterpart, its live
// events.
import {asPage, office, people, start, work} from './console.mjs';
import {assert, call, newToken, scenario, until} from './lib.mjs';

async function cookieOf(sidecar, token) {
  const answer = await asPage(sidecar, 'POST', '/v1/session', {body: {token}});
  assert.equal(answer.status, 200, answer.body);
  return answer.headers['set-cookie'][0].split(';')[0];
}

scenario('its files are complete, small, bound to themselves, and kept by browsers', async (s) => {
  const {sidecar} = await start(s);
  const get = (path, headers = {}) => call(sidecar.adminPort, 'GET', path, {headers});
  const page = await get('/');
  assert.equal(page.status, 200);
  const files = [...page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1]);
  assert.ok(files.length > 5);
  let bytes = page.body.length;
  for (const file of new Set(files)) {
    const answer = await get(file);
    assert.equal(answer.status, 200, file);
    bytes += Number(answer.headers['content-length']);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    const again = await get(file, {'If-None-Match': answer.headers.etag});
    assert.deepEqual([again.status, again.body], [304, '']);
    // What a module imports is there as well.
    for (const [, name] of answer.body.matchAll(/from '\.(\/[\w.]+)'/g))
      assert.ok(files.includes(name), `${file} imports ${name}`);
  }
  assert.ok(bytes < 150_000, `${bytes} bytes`);
  console.log(`the page is ${bytes} bytes`);
  const policy = page.headers['content-security-policy'];
  for (const part
           of ['default-src \'none\'', 'frame-ancestors \'none\'', 'require-trusted-types-for'])
    assert.ok(policy.includes(part), part);
  assert.doesNotMatch(policy, /unsafe|http|\*/);
  assert.equal(page.headers['cross-origin-opener-policy'], 'same-origin');
  assert.doesNotMatch(page.body, /<script(?! type="module" src=)|style=|onclick|https?:/);
  assert.equal((await get('/', {Host: 'evil.example'})).status, 403);
  assert.equal((await call(sidecar.adminPort, 'POST', '/')).status, 405);
});

scenario('a token becomes a cookie, which is good for what the token is', async (s) => {
  const {sidecar, tokens} = await start(s);
  const answer = await asPage(sidecar, 'POST', '/v1/session', {body: {token: tokens.lee}});
  const cookie = answer.headers['set-cookie'][0];
  assert.match(cookie, /^reeve-\d+=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict$/);
  assert.ok(!answer.body.includes(cookie.slice(12, 40)), 'the page cannot read it');
  const mine = cookie.split(';')[0];
  const session = (await asPage(sidecar, 'GET', '/v1/session', {cookie: mine, origin: null})).json;
  assert.deepEqual([session.person, session.role, session.people], [people[0], 'approver', true]);
  for (const path
           of ['/v1/agents', '/v1/budgets', '/v1/policy', '/v1/rules', '/v1/approvals', '/v1/audit',
               '/v1/activity']) {
    const got =
        await asPage(sidecar, 'GET', path, {cookie: mine, origin: null, site: 'same-origin'});
    assert.equal(got.status, 200, `${path}: ${got.body}`);
    assert.equal(got.headers['cache-control'], 'no-store');
  }
  const https = await asPage(
      sidecar, 'POST', '/v1/session',
      {body: {token: tokens.lee}, origin: `https://127.0.0.1:${sidecar.adminPort}`});
  assert.match(https.headers['set-cookie'][0], /; Secure$/);
  // Signing in anew or out ends it.
  const out = await asPage(sidecar, 'DELETE', '/v1/session', {cookie: mine});
  assert.match(out.headers['set-cookie'][0], /Max-Age=0/);
  assert.equal((await asPage(sidecar, 'GET', '/v1/agents', {cookie: mine})).status, 401);
  const second = https.headers['set-cookie'][0].split(';')[0];
  assert.equal(
      (await asPage(sidecar, 'POST', '/v1/session', {body: {token: tokens.vic}, cookie: second}))
          .status,
      200);
  assert.equal((await asPage(sidecar, 'GET', '/v1/agents', {cookie: second})).status, 401);
});

scenario('wrong tokens and cookies are refused, and soon slowed', async (s) => {
  const {sidecar, tokens} = await start(s);
  const nobody = await asPage(sidecar, 'GET', '/v1/session', {origin: null});
  assert.deepEqual([nobody.status, nobody.json], [200, {signed_in: false}]);
  for (const body of [{token: ''}, {token: newToken()}, {token: tokens.lee.slice(1)}])
    assert.ok([401, 429].includes((await asPage(sidecar, 'POST', '/v1/session', {body})).status));
  for (const body
           of ['', '{}', '[]', '{"token":1}', `{"token":"${tokens.lee}","x":1}`,
               'x'.repeat(20_000)]) {
    const answer = await asPage(sidecar, 'POST', '/v1/session', {body});
    assert.ok([400, 413].includes(answer.status), `${body.slice(0, 20)}: ${answer.status}`);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  const name = (await cookieOf(sidecar, tokens.lee)).split('=')[0];
  const guesses = await Promise.all(Array.from(
      {length: 40},
      (_, i) => asPage(
          sidecar, 'GET', '/v1/agents',
          {cookie: `${name}=${String(i).padStart(64, '0')}`, origin: null})));
  assert.deepEqual([...new Set(guesses.map((answer) => answer.status))].sort(), [401, 429]);
  // Who knows a token gets in meanwhile.
  assert.equal(
      (await asPage(sidecar, 'POST', '/v1/session', {body: {token: tokens.lee}})).status, 200);
});

scenario('changes with a cookie come from the own page, or not at all', async (s) => {
  const running = await start(s);
  const {sidecar, tokens, as, origin} = running;
  const cookie = await cookieOf(sidecar, tokens.lee);
  const refund = as ('casey', 'POST', '/crm/refunds', {amount: 250});
  refund.catch(() => {});
  const [{approval}] = await until(async () => {
    const {json} = await call(sidecar.adminPort, 'GET', '/v1/approvals', {token: tokens.lee});
    return json.approvals.length === 1 && json.approvals;
  }, 'the question');
  const path = `/v1/approvals/${approval}/approve`;
  const own = `http://127.0.0.1:${sidecar.adminPort}`;
  const port = sidecar.adminPort;
  for (const [what, request] of Object.entries({
         'no origin': {origin: null},
         'another origin': {origin: 'http://evil.example'},
         'another port of this host': {origin: `http://127.0.0.1:${port + 1}`},
         'another name of this host': {origin: `http://localhost:${port}`},
         'a sandboxed page': {origin: 'null'},
         'the own origin, as another site says': {origin: own, site: 'cross-site'},
         'a prefix': {origin: `${own}.evil.example`},
       })) {
    const answer = await asPage(sidecar, 'POST', path, {cookie, ...request});
    assert.equal(answer.status, 403, what);
    const reads = await asPage(sidecar, 'GET', '/v1/approvals', {cookie, ...request});
    assert.equal(reads.status, what === 'no origin' ? 200 : 403, what);
  }
  for (const request of [{origin: null}, {origin: 'http://evil.example'}])
    assert.equal(
        (await asPage(sidecar, 'POST', '/v1/session', {body: {token: tokens.lee}, ...request}))
            .status,
        403);
  assert.equal(origin.requests.length, 0);
  assert.equal((await asPage(sidecar, 'POST', path, {cookie, body: {why: 'agreed'}})).status, 200);
  assert.equal((await refund).status, 200);
});

scenario('a viewer looks, an approver answers, and a cookie lifts nothing', async (s) => {
  const {sidecar, tokens, as} = await start(s);
  const refund = as ('casey', 'POST', '/crm/refunds', {amount: 250});
  refund.catch(() => {});
  const [{approval}] = await until(async () => {
    const {json} = await call(sidecar.adminPort, 'GET', '/v1/approvals', {token: tokens.vic});
    return json.approvals.length === 1 && json.approvals;
  }, 'the question');
  const vic = await cookieOf(sidecar, tokens.vic), lee = await cookieOf(sidecar, tokens.lee);
  const admin = await cookieOf(sidecar, sidecar.adminToken);
  const answer = (cookie, body = {}) =>
      asPage(sidecar, 'POST', `/v1/approvals/${approval}/deny`, {cookie, body});
  assert.equal((await answer(vic)).status, 403, 'a viewer');
  assert.equal((await answer(admin, {as: people[0]})).status, 403, 'people are named');
  assert.equal((await answer(lee, {as: people[2]})).status, 403, 'for nobody else');
  assert.equal((await answer(lee)).status, 200);
  assert.equal((await refund).status, 403);
});

scenario('the record is searched, and what agents did is counted', async (s) => {
  const running = await start(s);
  const {sidecar, tokens} = running;
  await work(running, 6);
  const ask = async (path) => (await call(sidecar.adminPort, 'GET', path, {token: tokens.vic}));
  const refused = (await ask('/v1/audit?kind=decision&decision=deny')).json;
  assert.ok(refused.complete && refused.lines.length === 3, JSON.stringify(refused));
  assert.ok(refused.lines.every((line, i) => i === 0 || line.seq < refused.lines[i - 1].seq));
  assert.equal(
      (await ask('/v1/audit?agent=avery&rule=no-finance&kind=decision')).json.lines.length, 1);
  assert.equal(
      (await ask('/v1/audit?target=/customers/*&kind=decision&agent=casey')).json.lines.length, 6);
  assert.equal((await ask('/v1/audit?limit=2')).json.lines.length, 2);
  for (const bad of ['/v1/audit?x=1', '/v1/audit?since=soon', '/v1/activity?since=40d'])
    assert.equal((await ask(bad)).status, 400, bad);
  const activity = await until(async () => {
    const {json} = await ask('/v1/activity?since=1h');
    const spent =
        json.agents.find((each) => each.agent === 'casey').spent.reduce((all, n) => all + n, 0);
    return spent === 0.75 && json;
  }, 'what casey spent');
  const sum = (list) => list.reduce((all, n) => all + n, 0);
  const avery = activity.agents.find((each) => each.agent === 'avery');
  assert.deepEqual([sum(avery.allowed), sum(avery.refused)], [6, 3]);
  assert.equal(activity.rules.find((each) => each.rule === 'no-deletions').count, 2);
  const rules = (await ask('/v1/rules')).json.rules;
  assert.deepEqual(rules.map((each) => each.effect), ['deny', 'deny', 'ask', 'allow', 'allow']);
  assert.equal(rules[2].approvers, 'leads');
  assert.match(rules[0].at, /policy\.yaml:\d+:\d+$/);
});

// Server-sent events as they come: {event, data} in order.
async function watch(sidecar, options) {
  const answer = await call(sidecar.adminPort, 'GET', '/v1/live', {stream: true, ...options});
  const events = [];
  let rest = '';
  answer.response.setEncoding('utf8');
  answer.response.on('data', (data) => {
    rest += data;
    for (let end; (end = rest.indexOf('\n\n')) >= 0; rest = rest.slice(end + 2)) {
      const fields =
          Object.fromEntries(rest.slice(0, end).split('\n').map((line) => line.split(/: ?(.*)/s)));
      if (fields.event) events.push({event: fields.event, data: JSON.parse(fields.data)});
    }
  });
  answer.response.on('error', () => {});
  let over = false;
  answer.response.on('close', () => over = true);
  return {
    status: answer.status,
    events,
    request: answer.request,
    over: () => over,
    lines: () => events.filter((each) => each.event === 'lines').flatMap((each) => each.data)
  };
}

scenario('who watches sees decisions, approvals, budgets and states, as they come', async (s) => {
  const running = await start(s);
  const {sidecar, tokens, as} = running;
  assert.equal((await call(sidecar.adminPort, 'GET', '/v1/live')).status, 401);
  const cookie = await cookieOf(sidecar, tokens.vic);
  const seen = await watch(sidecar, {headers: {Cookie: cookie, 'Sec-Fetch-Site': 'same-origin'}});
  assert.equal(seen.status, 200);
  const event = (name) => seen.events.findLast((each) => each.event === name)?.data;
  await until(() => event('agents') && event('budgets') && event('approvals'), 'the states');
  assert.equal(event('agents').agents.length, 3);
  await as ('casey', 'POST', '/crm/tickets/1/replies', {text: 'x'});
  await as ('avery', 'DELETE', '/crm/customers/1');
  const lines = await until(
      () => seen.lines().filter((line) => line.kind === 'decision').length === 2 && seen.lines(),
      'both decisions');
  assert.deepEqual(
      lines.map((line) => [line.agent, line.decision, line.rule]),
      [['casey', 'allow', 'work-in-crm'], ['avery', 'deny', 'no-deletions']]);
  await until(
      () => event('budgets').budgets.some(
          (each) => each.scope === 'agent:casey' && each.used === '0.25'),
      'the spend');
  const refund = as ('casey', 'POST', '/crm/refunds', {amount: 250});
  refund.catch(() => {});
  await until(
      () =>
          event('approvals').pending === 1 && seen.lines().some((line) => line.kind === 'approval'),
      'the question');
  // Who has signed out watches no more.
  await asPage(sidecar, 'DELETE', '/v1/session', {cookie});
  await as ('casey', 'GET', '/crm/customers/1');
  await until(() => seen.over(), 'the end of the events');
});

scenario('there is room for so many who watch, and each is told so', async (s) => {
  const {sidecar, tokens, as} = await start(s);
  const all =
      await Promise.all(Array.from({length: 32}, () => watch(sidecar, {token: tokens.vic})));
  assert.ok(all.every((each) => each.status === 200));
  assert.equal((await call(sidecar.adminPort, 'GET', '/v1/live', {token: tokens.vic})).status, 503);
  all[0].request.destroy();
  await until(async () => {
    await as ('casey', 'GET', '/crm/customers/1');  // wakes who waits
    const next =
        await call(sidecar.adminPort, 'GET', '/v1/live', {token: tokens.vic, stream: true});
    next.request.destroy();
    return next.status === 200;
  }, 'a free place');
  all.forEach((each) => each.request.destroy());
});
