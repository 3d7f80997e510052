// Guards on bodies of HTTP, both ways: redacted or refused; what reached the server, what reached
// the agent, and what the record says, which never is what was found.
import {readFileSync} from 'node:fs';
import http from 'node:http';
import {join} from 'node:path';
import {gzipSync} from 'node:zlib';

import {assertUntold, card, guards, mail, policy, start} from './guarded.mjs';
import {agentEntry, assert, binary, policyOf, root, run, scenario, until} from './lib.mjs';

scenario('answers are redacted where something stands, and nowhere else', async (s) => {
  const {said, origin, sidecar, call} = await start(s);
  const rows = [
    [`{ "to":"${mail}",\n "n": 1.0 }`, '{ "to":"[redacted: email]",\n "n": 1.0 }'],
    ['{"to":"jane\\u0040example.com"}', '{"to":"[redacted: email]"}'],
    ['{"pan":"\\u0034111 1111 1111 1111"}', '{"pan":"[redacted: credit-card]"}'],
    ['{"pan":4111111111111111}', '{"pan":"[redacted: credit-card]"}'],
    [`{"${mail}":1}`, '{"[redacted: email #1]":1}'],
    [`{"note":"{\\"to\\":\\"${mail}\\"}"}`, '{"note":"{\\"to\\":\\"[redacted: email]\\"}"}'],
    [
      '[{"salary":70000,"name":"Jo"},{"salary":null}]',
      '[{"salary":"[redacted: field]","name":"Jo"},{"salary":null}]'
    ],
    ['{"nothing":"to find"}', '{"nothing":"to find"}'],
    [`Call ${mail} now`, 'Call [redacted: email] now', 'text/plain; charset=utf-8'],
    [`<a>${mail}</a>`, '<a>[redacted: email]</a>', 'application/xml'],
    [`{"a":"${mail}"}\n{"a":1}\n`, '{"a":"[redacted: email]"}\n{"a":1}\n', 'application/x-ndjson'],
    ['name,salary\nJo,70000\n', 'name,salary\nJo,[redacted: field]\n', 'text/csv'],
    ['', '', 'application/json'],
  ];
  for (const [body, clean, type = 'application/json'] of rows) {
    const digest = {'Content-Digest': 'sha-256=:AAAA:', 'X-Kept': 'yes'};
    said.answer = {body, type, headers: digest};
    const answer =
        await call('GET', '/api/x', {headers: {'Accept-Encoding': 'gzip, br', Range: 'bytes=0-9'}});
    assert.equal(answer.status, 200, `${body}: ${answer.body}`);
    assert.equal(answer.body, clean);
    assert.equal(answer.headers['x-kept'], 'yes');
    assert.equal(
        answer.headers['content-digest'], body === clean ? digest['Content-Digest'] : undefined);
    if (body) assert.equal(answer.headers['content-length'], String(Buffer.byteLength(clean)));
  }
  for (const {headers} of origin.requests) {
    assert.equal(headers['accept-encoding'], 'identity');
    assert.equal(headers.range, undefined);
  }
  const lines = await sidecar.records({upstream: 'api'}, rows.length);
  assert.deepEqual(
      [lines[0].decision.decision, lines[0].outcome.decision, lines[0].outcome.reason],
      ['allow', 'allow', undefined]);
  assert.equal(lines[0].outcome.guard, 'pii');
  assert.deepEqual(lines[0].outcome.found, {pii: {email: 1}});
  assert.deepEqual(lines[6].outcome.found, {pii: {'*.salary': 1}});
  assert.equal(lines[7].outcome.found, undefined);
  assertUntold(sidecar, mail, card, '70000');
});

scenario('what cannot be looked at is refused, and never passed on', async (s) => {
  const {said, sidecar, call} =
      await start(s, {config: {limits: {body_bytes: '64KB', drain: '2s'}}});
  const secret = `{"to":"${mail}"}`;
  const rows = [
    [{body: gzipSync(secret), headers: {'Content-Encoding': 'gzip'}}, /content coding/],
    [{body: secret, type: 'application/octet-stream'}, /neither JSON nor text/],
    [{body: secret, type: 'image/png'}, /neither JSON nor text/],
    [{body: secret, type: null}, /content type/],
    [{body: secret, type: 'text/plain; charset=utf-16'}, /UTF-8/],
    [{body: Buffer.from(mail, 'utf16le'), type: 'text/plain'}, /UTF-8/],
    [{body: Buffer.from([0x61, 0xff, 0x62]), type: 'text/plain'}, /UTF-8/],
    [{body: '{"a":1,"a":"jane\\u0040example.com"}'}, /strict JSON/],
    [{body: '{"a":1'}, /strict JSON/],
    [{body: '{"Salary":1,"salary":2}'}, null],  // not on the way of a place: passed on
    [{body: '[{"Salary":1}]'}, /but for case/],
    [{body: JSON.stringify('x'.repeat(70_000))}, /body_bytes/],
    [{status: 206, body: secret, headers: {'Content-Range': 'bytes 0-9/99'}}, /only a part/],
    [{status: 500, body: secret, type: 'application/pdf'}, /neither JSON nor text/],
    [{body: '{"choices":[{"logprobs":{"content":[{"token":"jane"}]}}]}'}, /logprobs/],
  ];
  for (const [answer, why] of rows) {
    said.answer = answer;
    const got = await call('GET', '/api/x');
    if (!why) {
      assert.equal(got.body, answer.body);
      continue;
    }
    assert.equal(got.status, 502, `${why}: ${got.body}`);
    assert.equal(got.headers['content-type'], 'application/problem+json');
    assert.match(got.json.detail, why);
    assert.deepEqual([got.json.decision, got.json.guard], ['deny', 'pii']);
    assert.ok(!got.body.includes('jane'), got.body);
  }
  // Without a body there is nothing to look at.
  for (const [method, answer] of [
           ['HEAD', {headers: {'Content-Encoding': 'gzip'}, type: 'image/png', body: ''}],
           ['GET', {status: 304, type: null, body: ''}],
           ['GET', {status: 204, type: null, body: ''}]]) {
    said.answer = answer;
    assert.equal((await call(method, '/api/x')).status, answer.status ?? 200);
  }
  const [{decision, outcome}] = await sidecar.records({upstream: 'api'}, rows.length + 3);
  assert.deepEqual([decision.decision, outcome.decision], ['allow', 'deny']);
  assert.deepEqual(
      [outcome.reason, outcome.guard, outcome.doubt, outcome.status],
      ['guard', 'pii', 'it has a content coding', 502]);
  assert.ok('upstream_ms' in outcome);
});

scenario('an answer that is denied: 403 with the guard, charged, connection kept', async (s) => {
  const {said, sidecar, call} = await start(s, {guard: 'denying'});
  said.answer = {body: `{"to":"${mail}","pan":"${card}"}`};
  const agent = new http.Agent({keepAlive: true, maxSockets: 1});
  const denied = await call('GET', '/api/x', {agent});
  assert.equal(denied.status, 403);
  assert.equal(denied.headers['content-type'], 'application/problem+json');
  assert.match(denied.json.detail, /guard pii found email, credit-card in the result/);
  assert.deepEqual([denied.json.decision, denied.json.guard], ['deny', 'pii']);
  said.answer = {body: '{"ok":true}'};
  assert.equal((await call('GET', '/api/x', {agent})).body, '{"ok":true}');
  agent.destroy();
  const [first, second] = await sidecar.records({upstream: 'api'}, 2);
  assert.equal(first.outcome.cost, 0.5, 'the upstream did run');
  assert.deepEqual(
      [first.outcome.decision, first.outcome.reason, first.outcome.found],
      ['deny', 'guard', {pii: {email: 1, 'credit-card': 1}}]);
  assert.deepEqual([second.outcome.decision, second.outcome.reason], ['allow', undefined]);
  await until(
      async () =>
          await sidecar.metric('reeve_calls_total', {upstream: 'api', decision: 'deny'}) === 1,
      'the denied call in the metrics');
  assertUntold(sidecar, mail, card);
});

scenario('arguments: the bytes that reach the server are redacted, or none do', async (s) => {
  const {origin, sidecar, call} = await start(s);
  const post = (body, type = 'application/json', headers = {}) =>
      call('POST', '/api/x', {body, headers: {'Content-Type': type, ...headers}});
  const rows = [
    [`{"to": "${mail}", "n": 1.0}`, '{"to": "[redacted: email]", "n": 1.0}'],
    ['{"to": "jane\\u0040example.com"}', '{"to": "[redacted: email]"}'],
    [
      `to=${encodeURIComponent(mail)}&n=1`, 'to=%5Bredacted%3A+email%5D&n=1',
      'application/x-www-form-urlencoded'
    ],
    [`To ${mail}`, 'To [redacted: email]', 'text/plain'],
    ['{"n":1}', '{"n":1}'],
  ];
  for (const [body, sent, type] of rows) {
    assert.equal((await post(body, type)).status, 200);
    const {body: reached, headers} = origin.requests.at(-1);
    assert.equal(reached, sent);
    assert.equal(headers['content-length'], String(Buffer.byteLength(sent)));
  }
  const before = origin.requests.length;
  for (const [body, type, headers] of [
           [gzipSync(mail), 'text/plain', {'Content-Encoding': 'gzip'}],
           [mail, 'application/octet-stream'],
           [mail, 'multipart/form-data; boundary=b'],
           [Buffer.from(mail, 'utf16le'), 'text/plain'],
           [Buffer.from([0x22, 0xff, 0x22]), 'text/plain'],
  ]) {
    const refused = await post(body, type, headers);
    assert.ok([403, 415].includes(refused.status), `${type}: ${refused.status}`);
    assert.equal(refused.json.guard, 'pii');
  }
  assert.equal((await call('POST', '/api/x', {body: mail})).status, 415, 'no content type');
  assert.equal(origin.requests.length, before, 'none reached the server');
  const lines = await sidecar.records({upstream: 'api'}, rows.length + 6);
  assert.deepEqual([lines[0].decision.guard, lines[0].decision.found], ['pii', {pii: {email: 1}}]);
  const {decision, outcome} = lines.at(-1);
  assert.deepEqual([decision.decision, decision.reason, decision.guard], ['deny', 'guard', 'pii']);
  assert.ok(!('upstream_ms' in outcome));
  assert.equal(outcome.cost, 0);
  assertUntold(sidecar, mail);
});

scenario('arguments that are denied; report mode changes and refuses nothing', async (s) => {
  const strict = await start(s, {guard: 'denying'});
  const denied = await strict.call('POST', '/api/x', {body: {to: mail}});
  assert.equal(denied.status, 403);
  assert.match(denied.json.detail, /guard pii found email in the arguments/);
  assert.equal(strict.origin.requests.length, 0);

  for (const guard of ['denying', 'redacting']) {
    const {said, origin, sidecar, call} = await start(
        s, {guard, mode: 'mode: report\n', config: {limits: {body_bytes: '64KB', drain: '2s'}}});
    said.answer = {body: `{"to":"${mail}"}`};
    const answer = await call('POST', '/api/x', {body: {to: mail}});
    assert.deepEqual([answer.status, answer.body], [200, `{"to":"${mail}"}`]);
    assert.equal(origin.requests[0].body, `{"to":"${mail}"}`);
    said.answer = {body: gzipSync('x'), headers: {'Content-Encoding': 'gzip'}};
    assert.equal((await call('GET', '/api/x')).status, 200);
    const large = JSON.stringify('x'.repeat(200_000));
    said.answer = {body: large};
    assert.equal((await call('GET', '/api/x')).body, large);
    said.answer = (request, response) => {
      response.writeHead(200, {'Content-Type': 'text/event-stream'});
      response.end(`data: ${mail}\n\n`);
    };
    assert.equal((await call('GET', '/api/x')).body, `data: ${mail}\n\n`);
    const lines = await sidecar.records({upstream: 'api'}, 4);
    const refused = guard === 'denying' ? 'deny' : 'allow';
    assert.deepEqual(
        lines.map(({outcome}) => [outcome.decision, outcome.guard]),
        [[refused, 'pii'], ['deny', 'pii'], ['deny', 'pii'], [refused, 'pii']]);
    assert.deepEqual(lines[0].decision.found, {pii: {email: 1}});
    assert.deepEqual(lines[0].outcome.found, {pii: {email: 1}});
    assert.equal(lines[0].decision.mode, 'report');
  }
});

// As policy/README.md has it: missed, of those to find; no false alarms.
const labelled = {
  'credit-card': 2,
  iban: 0,
  email: 2,
  'us-ssn': 1,
  phone: 4,
  none: 0
};

scenario(
    'the labelled texts, through the wire: what is missed, and what is no secret', async (s) => {
      const kinds = Object.keys(labelled);
      const texts = Object.fromEntries(kinds.map((kind) => {
        const lines = readFileSync(join(root, `tests/data/guards/${kind}.jsonl`), 'utf8').trim();
        return [kind, lines.split('\n').map((line) => JSON.parse(line))];
      }));
      const origin = await s.origin((request, response) => {
        const all = texts[request.url.slice(1)].map(({text}) => text);
        if (request.headers.accept === 'text/event-stream') {
          response.writeHead(200, {'Content-Type': 'text/event-stream'});
          return response.end(all.map((text) => `data: ${JSON.stringify(text)}\n\n`).join(''));
        }
        response.writeHead(200, {'Content-Type': 'application/json'});
        response.end(JSON.stringify(all));
      });
      const jordan = agentEntry('jordan');
      const rule = (kind) => `      - {upstream: api, http: "GET /${kind}", guards: g-${kind}}\n`;
      const guard = (kind) =>
          `  g-${kind}: {patterns: [${kind === 'none' ? kinds.slice(0, -1).join(', ') : kind}]}\n`;
      const sidecar = await s.sidecar({
        policy: policyOf(
            [jordan], `    allow:\n${kinds.map(rule).join('')}`,
            `guards:\n${kinds.map(guard).join('')}`),
        upstreams: {api: {http: origin.url()}}
      });
      for (const kind of kinds) {
        for (const accept of ['application/json', 'text/event-stream']) {
          const {status, body} = await sidecar.call(
              'GET', `/api/${kind}`, {token: jordan.token, headers: {Accept: accept}});
          assert.equal(status, 200);
          const told = accept === 'application/json' ?
              JSON.parse(body) :
              body.split('\n').filter((line) => line).map((line) => JSON.parse(line.slice(6)));
          assert.equal(told.length, texts[kind].length);
          let missed = 0, alarms = 0;
          texts[kind].forEach(({text, finds}, i) => {
            missed += finds.filter((find) => told[i].includes(find)).length;
            if (finds.length === 0 && told[i] !== text) ++alarms;
          });
          assert.deepEqual([kind, missed, alarms], [kind, labelled[kind], 0]);
        }
      }
    });

scenario('a tunnel cannot be looked into, so a guarded role has none', async (s) => {
  const origin = await s.origin();
  const jordan = agentEntry('jordan');
  const rules = '    guards: [pii]\n    allow:\n      - {id: out, connect: "*:*"}\n';
  const sidecar = await s.sidecar({
    policy: policyOf([jordan], rules, `guards:\n  ${guards.redacting}\n`),
    upstreams: {api: {http: origin.url()}},
    config: {dial: {allow: ['127.0.0.0/8']}}
  });
  const answer = await run('curl', [
    '-s', '-o', '/dev/null', '-w', '%{http_code}', '-x',
    `http://agent:${jordan.token}@127.0.0.1:${sidecar.port}`, origin.url('/')
  ]);
  assert.equal(answer.out, '403');
  assert.equal(origin.requests.length, 0);
  const [{decision}] = await sidecar.records({action: 'GET'});
  assert.deepEqual([decision.decision, decision.reason, decision.guard], ['deny', 'guard', 'pii']);
});

scenario('a guard that asks is refused where nobody can be asked', async (s) => {
  const jordan = agentEntry('jordan');
  const ask = 'pii: {patterns: email, then: ask, approvers: leads}';
  const wiring = await s.configure({
    policy: policy(jordan, ask) + 'approvers: {leads: {members: [lee@acme.example]}}\n',
    upstreams: {api: {http: 'http://127.0.0.1:9'}}
  });
  const answer = await run(
      binary, ['check', '-c', `${wiring.folder}/reeve.yaml`, `${wiring.folder}/policy.yaml`],
      {env: wiring.env});
  assert.equal(answer.code, 1);
  assert.match(answer.out + answer.err, /`then: ask of a guard` is not yet enforced/);
  assert.doesNotMatch(answer.out + answer.err, /`guards` is not/);
});
