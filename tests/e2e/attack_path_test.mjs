// Attacks by the path: whatever a backend takes it for, it stays below the route. Every case is
// sent below /api and as a sibling of it; `leaves` (attack.mjs) reads what reached the origin in
// all the ways that backends are known to.
import {attack, clean, reject} from './attack.mjs';
import {scenario} from './lib.mjs';

const dots = [
  '..',
  '.',
  '%2e%2e',
  '%2E%2E',
  '.%2e',
  '%2e.',
  '%2e',
  '..;',
  '..;x=1',
  '.;',
  '%2e%2e;',
  '..%3b',
  '%252e%252e',
  '%25252e%25252e',
  '%c0%ae%c0%ae',
  '%e0%80%ae%e0%80%ae',
  '%f0%80%80%ae',
  '\xc0\xae\xc0\xae',
  '%ef%bc%8e%ef%bc%8e',
  '\xef\xbc\x8e\xef\xbc\x8e',
  '%u002e%u002e',
  '%uff0e%uff0e',
  '..%00',
  '..%0a',
  '..%0d%0a',
  '..%09',
  '..%20',
  '%20..',
  '..\0',
  '..\t',
  '.. ',
  '...',
  '....',
  '..%5c',
  '..\\',
  '.%00.',
  '%%32%65%%32%65',
  '%2%65%2%65',
  '..%c0%af',
  '..%ef%bc%8f',
  '..%u2215',
  '%2e%2e%2f',
  '..%2f',
  '..%252f',
  '..%25c0%25af',
  '..?',
  '..#',
];
const slashes = [
  '%2f', '%2F', '%5c', '%5C', '\\', '//', '/./', '%252f', '%255c', '%c0%af', '%c1%9c', '%u002f',
  ';/', '%ef%bc%8f'
];
const strip = (text) => text.replace(/[\r\n]/g, ' ');
const path = (name, target, expect = clean('')) => ({
  name: strip(name),
  expect,
  send: (k) => `GET ${target}?case=${k.id} HTTP/1.1\r\n${k.top}\r\n`
});

scenario('dot segments and their disguises', async (s) => {
  const cases = dots.flatMap(
      (dot) =>
          [path(`/api/${dot}/x`, `/api/${dot}/x`),
           path(`/api/${dot}`, `/api/${dot}`),
           path(`/api/a/${dot}/${dot}/x`, `/api/a/${dot}/${dot}/x`),
           path(`/api/${dot}%2fx`, `/api/${dot}%2fx`),
           path(`/${dot}/api/a`, `/${dot}/api/a`),
           path(`/api${dot}/x`, `/api${dot}/x`),
  ]);
  await attack(s, cases);
});

scenario('separators and their disguises', async (s) => {
  await attack(
      s,
      slashes.flatMap(
          (slash) =>
              [path(`/api${slash}..${slash}x`, `/api${slash}..${slash}x`),
               path(`/api/a${slash}..${slash}..${slash}x`, `/api/a${slash}..${slash}..${slash}x`),
               path(`/api/a${slash}b`, `/api/a${slash}b`),
               path(`${slash}api/a`, `${slash}api/a`),
  ]));
});

scenario('odd bytes, bad escapes, siblings', async (s) => {
  const odd = [
    '%',
    '%2',
    '%g0',
    '%0',
    '%zz',
    '%-1',
    '% 2e',
    '%00',
    '%01',
    '%0a',
    '%0d',
    '%0d%0aX-Planted:%20planted',
    '%09',
    '%0b',
    '%1f',
    '%7f',
    '%80',
    '%ff',
    '%fe',
    '%c3',
    '%c3%28',
    '%ed%a0%80',
    '%f5%80%80%80',
    '%e2%80%ae',
    '%e2%80%8b',
    '%ef%bb%bf',
    '%c2%85',
    '%e2%80%a8',
    '%u0041',
    '%2500',
    '%25%30%30',
    ';',
    ';x',
    ';x=..',
    'a;/..;/b',
    '%3b',
    '\0',
    '\x01',
    '\t',
    '\x7f',
    '\x80',
    '\xff',
    '*',
    '~',
    '~root',
    '$',
    '|',
    '`id`',
    '"',
    '\'',
    '<x>',
    '{}',
    '^',
    '[',
    ':',
    '@',
    '&',
    '=',
    '+',
    '%2b',
    '%20',
    '%41',
  ];
  await attack(s, [
    ...odd.map((text) => path(`/api/${text}`, `/api/${text}`)),
    ...odd.map((text) => path(`/api/a${text}/b`, `/api/a${text}/b`)),
    ...['/apix', '/api.', '/api%20', '/api;x', '/ap', '/API/a', '/Api/a', '/%61pi/a', '/ap%69/a',
        '/api%00/a', '/api%2e', '/api:80/a', '/api@evil/a', '/apı/a', '/ａpi/a', '/api-/a',
        '/.api/a', '/api%3fx/a', '/api%23x/a']
        .map((text) => path(`sibling ${text}`, Buffer.from(text).toString('latin1'))),
    path('a path of 8,000 segments', `/api${'/a'.repeat(4000)}`),
    path('a path of 8 KiB in escapes', `/api/${'%41'.repeat(2700)}`),
    {
      name: 'CR LF in the path',
      expect: reject(),
      send: (k) => `GET /api/a\r\nX-Planted: planted?case=${k.id} HTTP/1.1\r\n${k.top}\r\n`
    },
    {
      name: 'LF in the path',
      expect: reject(),
      send: (k) => `GET /api/a\nX-Planted: planted?case=${k.id} HTTP/1.1\r\n${k.top}\r\n`
    },
    path('absolute form to a route', 'http://127.0.0.1/api/../x', reject()),
  ]);
});
