// A hostile or broken origin: the agent gets 502, an answer that is visibly cut off, or exactly
// what was meant for it; never what was planted behind it, and never somebody else's answer.
import {attack, bystander, credential, exchange, victim} from './attack.mjs';
import {assert, scenario, until} from './lib.mjs';

const ok = 'HTTP/1.1 200 OK\r\n';
const length = (n) => `Content-Length: ${n}\r\n`;
const poison = `${ok}${length(6)}\r\npoison`;
const chunked = 'Transfer-Encoding: chunked\r\n';
// What the origin sends, and the bodies that an agent may get with a 200; without one only 502 or
// an answer that is cut off.
const hostile = {
  'length-and-coding': [`${ok}${length(2)}${chunked}\r\n5\r\nhello\r\n0\r\n\r\n`],
  'coding-and-length': [`${ok}${chunked}${length(2)}\r\n5\r\nhello\r\n0\r\n\r\n`],
  'two-lengths': [`${ok}${length(2)}${length(5)}\r\nhello`],
  'list-of-lengths': [`${ok}Content-Length: 5, 5\r\n\r\nhello`],
  'length-negative': [`${ok}${length('-1')}\r\nhello`],
  'length-plus': [`${ok}${length('+5')}\r\nhello`],
  'length-hex': [`${ok}${length('0x5')}\r\nhello`],
  'length-huge': [`${ok}${length('18446744073709551621')}\r\nhello`],
  'length-empty': [`${ok}Content-Length:\r\n\r\nhello`],
  'length-short': [`${ok}${length(100)}\r\nhello`],
  'chunk-bad': [`${ok}${chunked}\r\nzz\r\nhello\r\n0\r\n\r\n`],
  'chunk-huge': [`${ok}${chunked}\r\n10000000000000005\r\nhello\r\n0\r\n\r\n`],
  'chunk-negative': [`${ok}${chunked}\r\n-5\r\nhello\r\n0\r\n\r\n`],
  'chunk-lf': [`${ok}${chunked}\r\n5\nhello\n0\n\n`],
  'chunk-short': [`${ok}${chunked}\r\n5\r\nhello\r\n`],
  'chunk-long-data': [`${ok}${chunked}\r\n3\r\nhello\r\n0\r\n\r\n`],
  'chunk-extension-flood': [`${ok}${chunked}\r\n5;${'a'.repeat(1 << 20)}\r\nhello\r\n0\r\n\r\n`],
  'trailer-flood': [`${ok}${chunked}\r\n5\r\nhello\r\n0\r\nX-A: ${'b'.repeat(1 << 20)}\r\n\r\n`],
  'coding-unknown': [`${ok}Transfer-Encoding: chunked, cow\r\n\r\n5\r\nhello\r\n0\r\n\r\n`],
  'coding-gzip': [`${ok}Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`],
  'coding-twice': [`${ok}${chunked}${chunked}\r\n5\r\nhello\r\n0\r\n\r\n`],
  'coding-in-1.0': [`HTTP/1.0 200 OK\r\n${chunked}\r\n5\r\nhello\r\n0\r\n\r\n`],
  'field-nul': [`${ok}${length(5)}X-Odd: a\0b\r\n\r\nhello`],
  'field-cr': [`${ok}${length(5)}X-Odd: a\rSet-Cookie: poison=1\r\n\r\nhello`],
  'field-lf': [`${ok}${length(5)}X-Odd: a\nSet-Cookie: planted=1\r\n\r\nhello`],
  'field-folded': [`${ok}${length(5)}X-Odd: a\r\n Set-Cookie: poison=1\r\n\r\nhello`],
  'field-space-colon': [`${ok}${length(5)}Set-Cookie : poison=1\r\n\r\nhello`],
  'field-no-colon': [`${ok}${length(5)}poison\r\n\r\nhello`],
  'field-empty-name': [`${ok}${length(5)}: poison\r\n\r\nhello`],
  'field-flood': [`${ok}${`X-Flood: ${'a'.repeat(1000)}\r\n`.repeat(2000)}${length(5)}\r\nhello`],
  'field-many': [`${ok}${'X-F: 1\r\n'.repeat(5000)}${length(5)}\r\nhello`],
  'field-endless': [`${ok}X-Flood: ${'a'.repeat(2 << 20)}`],
  'status-none': ['HELLO THERE\r\n\r\nhello'],
  'status-two-digits': [`HTTP/1.1 20 OK\r\n${length(5)}\r\nhello`],
  'status-four-digits': [`HTTP/1.1 2000 OK\r\n${length(5)}\r\nhello`],
  'status-000': [`HTTP/1.1 000 OK\r\n${length(5)}\r\nhello`],
  'status-999': [`HTTP/1.1 999 OK\r\n${length(5)}\r\nhello`],
  'status-version-2': [`HTTP/2.0 200 OK\r\n${length(5)}\r\nhello`],
  'status-version-0.9': ['hello, this is HTTP/0.9'],
  'status-lf': [`HTTP/1.1 200 OK\n${length(5)}\nhello`],
  'status-nul': [`HTTP/1.1 200 O\0K\r\n${length(5)}\r\nhello`],
  'status-cr': [`HTTP/1.1 200 OK\rX-A: poison\r\n${length(5)}\r\nhello`],
  'status-endless': [`HTTP/1.1 200 ${'a'.repeat(2 << 20)}`],
  'interim-flood': [`${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(2000)}${ok}${length(5)}\r\nhello`],
  'interim-with-body':
      [`HTTP/1.1 100 Continue\r\n${length(6)}\r\npoison${ok}${length(5)}\r\nhello`],
  'interim-endless': ['HTTP/1.1 102 Processing\r\n\r\n'.repeat(40)],
  'unasked-switch':
      [`HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n${poison}`],
  'early-close': [`${ok}Content-Le`],
  'nothing': [''],
  'tls-alert': ['\x15\x03\x01\0\x02\x02\x46'],
  'two-answers': [`${ok}${length(5)}\r\nhello${poison}`, 'hello'],
  'body-on-204': [`HTTP/1.1 204 No Content\r\n\r\n${poison}`, ''],
  'body-on-304': [`HTTP/1.1 304 Not Modified\r\n${length(6)}\r\n${poison}`, ''],
  'one-interim': [`HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n${ok}${length(5)}\r\nhello`, 'hello'],
  'after-close': [`${ok}Connection: close\r\n${length(5)}\r\nhello${poison}`, 'hello'],
  'until-close': [`HTTP/1.0 200 OK\r\n\r\nhello`, 'hello'],
};
// The connection stays open after these, so that a second answer can be mistaken for a later one.
const keptOpen =
    new Set(['two-answers', 'body-on-204', 'body-on-304', 'unasked-switch', 'after-close']);

// Without drip and silence, which need time of their own.
const modeOf = (target) => /[?&]origin=([\w.-]+)/.exec(target)?.[1];
function misbehave(target, socket) {
  const mode = modeOf(target);
  if (!mode) return null;
  if (mode === 'late-answer') {
    socket.write(
        `${ok}${length(5)}\r\nhello`, 'latin1', () => setImmediate(() => socket.write(poison)));
    return undefined;
  }
  if (mode === 'drip') {
    const text = `${ok}${length(5)}\r\nhello`;
    let at = 0;
    const next = () => {
      if (at === text.length) return;
      socket.write(text[at++], 'latin1', () => setImmediate(next));
    };
    next();
    return undefined;
  }
  if (mode === 'reset') {
    socket.write(`${ok}${length(100)}\r\nhello`, 'latin1', () => socket.resetAndDestroy());
    return undefined;
  }
  if (keptOpen.has(mode)) return hostile[mode][0];
  socket.end(hostile[mode][0], 'latin1');
  return undefined;
}

scenario('a hostile origin', async (s) => {
  const scene = await victim(s, {answer: misbehave});
  const more = {'late-answer': ['', 'hello'], drip: ['', 'hello'], reset: ['']};
  const problems = [];
  for (const [mode, [, ...bodies]] of Object.entries({...hostile, ...more})) {
    for (const method of ['GET', 'HEAD']) {
      const fail = (what) => problems.push(`${method} ${mode}: ${what}`);
      const {finals, closed, text, violation, messages} = await exchange(
          scene.sidecar.port,
          `${method} /api/a?origin=${mode} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${
              scene.token}\r\n\r\n`,
          {methods: [method], patience: 15_000});
      if (violation) fail(`a malformed answer: ${violation}`);
      if (text.includes('poison') || text.includes('planted'))
        fail(`planted: ${text.slice(0, 200)}`);
      if (messages.some(({status}) => status === 101)) fail('the 101 was passed on');
      if (!finals.length && !closed) fail('left waiting');
      if (finals.length > 1) fail(`${finals.length} answers`);
      for (const {status, body} of finals) {
        if (status === 502) continue;
        if (method === 'HEAD' && status === 200) continue;
        if (!bodies.includes(body)) fail(`${status} with ${JSON.stringify(body.slice(0, 60))}`);
      }
      if (text.includes(credential)) fail('the upstream\'s credential in an answer');
      // One after the other: a poisoned connection would be used again at once.
      for (let i = 0; i < 2; ++i) {
        const harmed = await bystander(scene);
        if (harmed) fail(harmed);
      }
    }
  }
  assert.deepEqual(problems, []);
  const outcomes = await until(() => {
    const lines = scene.sidecar.audit({kind: 'outcome'});
    return lines.length >= 2 * Object.keys({...hostile, ...more}).length && lines;
  }, 'an outcome for each');
  assert.ok(outcomes.some(({error}) => error === 'protocol'));
  assert.ok(outcomes.some(({error}) => error === 'closed'));
});

scenario('an answer to a call that was cut is nobody else\'s', async (s) => {
  const waiting = [];
  const scene = await victim(s, {
    answer: (target, socket) => {
      if (!target.includes('hold')) return null;
      waiting.push(socket);
      return undefined;
    },
    upstream: {timeout: '1s'}
  });
  for (let i = 0; i < 8; ++i) {
    const {finals} = await exchange(
        scene.sidecar.port,
        `GET /api/a?hold HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${
            scene.token}\r\n\r\n`,
        {patience: 15_000});
    assert.equal(finals[0]?.status, 504);
    waiting.pop().write(poison);
    assert.equal(await bystander(scene), null);
  }
});

scenario(
    'the origin\'s credential and the agent\'s token are in no answer of reeve\'s', async (s) => {
      const {sidecar, token} = await attack(s, [
        ['malformed', (k) => `GET ${k.target} HTTP/1.1\r\n${k.top}X: \0\r\n\r\n`],
        ['twice', (k) => `GET ${k.target} HTTP/1.1\r\n${k.top}${k.auth}\r\n`],
        [
          'in the path',
          (k) => `GET /api/%00${k.auth.slice(22, -2)}?case=${k.id} HTTP/1.1\r\n${k.top}\r\n`
        ],
        ['unknown', (k) => `GET /nowhere?case=${k.id} HTTP/1.1\r\n${k.top}\r\n`],
      ].map(([name, send]) => ({name, send, expect: {kind: 'reject', count: 0}})));
      const said = sidecar.stderr + JSON.stringify(sidecar.audit());
      assert.ok(!said.includes(credential), 'the credential in the log or the record');
      const {body} = await sidecar.call('GET', '/api/x', {token: `${token}x`});
      assert.ok(!body.includes(token));
    });

scenario('a credential of the upstream\'s cannot be sent by an agent', async (s) => {
  const {origin, sidecar, token} =
      await victim(s, {upstream: {credential: {header: 'X-Upstream-Key', value: credential}}});
  const ways = [
    'X-Upstream-Key: planted\r\n',
    'x-upstream-key: planted\r\n',
    'X_Upstream_Key: planted\r\n',
    'X-Upstream_Key: planted\r\n',
    'Connection: X-Upstream-Key\r\n',
    'Connection: close, x-upstream-key\r\nX-Upstream-Key: planted\r\n',
    'X-Upstream-Key: planted\r\nX-Upstream-Key: planted\r\n',
  ];
  for (const way of ways) {
    const top = `Host: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n${way}`;
    await exchange(sidecar.port, `GET /api/a HTTP/1.1\r\n${top}\r\n`);
    await exchange(
        sidecar.port,
        `POST /api/a HTTP/1.1\r\n${top}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n${
            way.startsWith('Conn') ? 'X-Upstream-Key: planted\r\n' : way}\r\n`);
  }
  const {requests, violations} = origin.seen();
  assert.deepEqual(violations, []);
  assert.equal(requests.length, 2 * ways.length);
  for (const {fields, trailers} of requests) {
    assert.deepEqual(
        fields.filter(([name]) => name.replaceAll('_', '-') === 'x-upstream-key'),
        [['x-upstream-key', credential]]);
    assert.deepEqual(trailers, []);
    assert.ok(!JSON.stringify(fields).includes(token));
  }
});
