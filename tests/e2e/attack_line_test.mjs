// Attacks by the request line, by fields and by pipelining: what may reach the origin of each.
// Rules: RFC 9112 sections 2 to 5, RFC 9110 sections 5, 7.2 and 7.6.1.
import {accept, attack, clean, reject} from './attack.mjs';
import {scenario} from './lib.mjs';

const line = (name, start, expect = reject()) => ({
  name,
  expect,
  send: (k) => `${start.replaceAll('{t}', k.target).replaceAll('{h}', k.host)}\r\n${k.top}\r\n`
});
// The whole message, without fields of ours.
const raw = (name, bytes, expect = reject()) =>
    ({name, expect, send: (k) => typeof bytes === 'function' ? bytes(k) : bytes + k.smuggled});

scenario('request lines', async (s) => {
  await attack(s, [
    ...['HTTP/0.9', 'HTTP/1.2', 'HTTP/1.10', 'HTTP/2', 'HTTP/2.0', 'HTTP/3.0', 'HTTP/11', 'HTTP/1',
        'HTTP/1.', 'HTTP/.1', 'HTTP/01.1', 'HTTP/1.01', 'HTTP/1,1', 'HTTP/1.1.', 'HTTP/-1.1',
        'HTTP/+1.1', 'HTTP/1.x', 'HTTP/1.1x', 'HTTP/\xb9.1', 'http/1.1', 'Http/1.1', 'HTTPS/1.1',
        'HTTP 1.1', 'HTTP\\1.1', 'ICY/1.1', 'HTTP/', 'XTTP/1.1', 'HTTP/18446744073709551617.1']
        .map((version) => line(`version ${JSON.stringify(version)}`, `GET {t} ${version}`)),
    line('two spaces before the target', 'GET  {t} HTTP/1.1'),
    line('two spaces before the version', 'GET {t}  HTTP/1.1'),
    line('a space at the start', ' GET {t} HTTP/1.1'),
    line('a space at the end', 'GET {t} HTTP/1.1 '),
    line('a tab at the end', 'GET {t} HTTP/1.1\t'),
    ...['\t', '\v', '\f', '\xa0', '\x85', '\0', '\r', '+'].flatMap(
        (space) =>
            [line(`${JSON.stringify(space)} before the target`, `GET${space}{t} HTTP/1.1`),
             line(`${JSON.stringify(space)} before the version`, `GET {t}${space}HTTP/1.1`),
  ]),
    line('a space in the target', 'GET {t} x HTTP/1.1'),
    line('a second request line in one', 'GET {t} HTTP/1.1 GET {t} HTTP/1.1'),
    line('no target', 'GET HTTP/1.1'),
    line('no method', '{t} HTTP/1.1'),
    raw('no version', (k) => `GET ${k.target}\r\n\r\n`),
    raw('no version, with fields', (k) => `GET ${k.target}\r\n${k.top}\r\n`),
    raw('HTTP/0.9 with LF', (k) => `GET ${k.target}\n`),
    raw('only spaces', '   \r\n\r\n'),
    raw('LF alone', (k) => k.get.replaceAll('\r\n', '\n') + '\n'),
    raw('LF after the request line', (k) => k.get.replace('\r\n', '\n') + '\r\n'),
    raw('CR alone',
        (k) => k.get.replaceAll('\r\n', '\r') + '\r' +
            '\r\n\r\n'),
    raw('CR CR LF', (k) => k.get.replace('\r\n', '\r\r\n') + '\r\n'),
    raw('LF CR', (k) => k.get.replaceAll('\r\n', '\n\r') + '\n\r\n\r\n'),
    ...['\0', '\r', '\x01', '\x1f', '\x7f', '\x80', '\xff', '"', '<', '`', '{', '|', '^', '\\', '#']
        .map(
            (byte) => line(
                `${JSON.stringify(byte)} in the target`, `GET {t}${byte}x HTTP/1.1`,
                '"<`{|^\\'.includes(byte) ? clean('') : reject())),
    ...['\0', '\x80', '(', ':', '/', '"', ',', '@', '['].map(
        (byte) => line(`${JSON.stringify(byte)} in the method`, `G${byte}T {t} HTTP/1.1`)),
    line('a method of lower case', 'get {t} HTTP/1.1', clean('')),
    line('a method of 1 KiB', `${'M'.repeat(1024)} {t} HTTP/1.1`),
    line('a method of 1 MiB', `${'M'.repeat(1 << 20)} {t} HTTP/1.1`),
    line('a target of 64 KiB', `GET {t}&${'q'.repeat(1 << 16)} HTTP/1.1`),
    line('a target of 1 MiB', `GET {t}&${'q'.repeat(1 << 20)} HTTP/1.1`),
    line('a version of 1 MiB', `GET {t} HTTP/1.${'1'.repeat(1 << 20)}`),
    line('no path', 'GET ?case=0000 HTTP/1.1'),
    line('a relative path', 'GET api/a HTTP/1.1'),
    line('an asterisk', 'OPTIONS * HTTP/1.1'),
    line('an asterisk for GET', 'GET * HTTP/1.1'),
    line('a star path', 'GET *{t} HTTP/1.1'),
    line('TRACE', 'TRACE {t} HTTP/1.1'),
    line('TRACK', 'TRACK {t} HTTP/1.1', clean('')),
    line('CONNECT to the path', 'CONNECT {t} HTTP/1.1'),
    line('CONNECT to the route\'s host', 'CONNECT {h} HTTP/1.1'),
    line('CONNECT without a port', 'CONNECT 127.0.0.1 HTTP/1.1'),
    line('scheme https', 'GET https://{h}{t} HTTP/1.1'),
    ...['ftp', 'file', 'javascript', 'http+unix', 'ws', 'gopher', 'h2c', '//'].map(
        (scheme) => line(`scheme ${scheme}`, `GET ${scheme}://{h}{t} HTTP/1.1`)),
    line('no scheme before the authority', 'GET //{h}{t} HTTP/1.1'),
    line('one slash after the scheme', 'GET http:/{h}{t} HTTP/1.1'),
    line('three slashes after the scheme', 'GET http:///{h}{t} HTTP/1.1'),
    line('a user name', 'GET http://user@{h}{t} HTTP/1.1'),
    line('a user name that looks like a host', 'GET http://{h}@evil.example{t} HTTP/1.1'),
    line('a password', 'GET http://a:b@{h}{t} HTTP/1.1'),
    line('a backslash before the path', 'GET http://{h}\\{t} HTTP/1.1'),
    line('another host', 'GET http://evil.example{t} HTTP/1.1'),
    line('a fragment', 'GET {t}#x HTTP/1.1'),
    line('an encoded fragment', 'GET {t}%23x HTTP/1.1', clean('')),
  ].map((test) => ({half: false, ...test})));
});

scenario('other protocols', async (s) => {
  await attack(s, [
    raw('HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    raw('HTTP/2 preface and SETTINGS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'),
    raw('TLS ClientHello', `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${'\x11'.repeat(508)}`),
    raw('SSLv2 hello', '\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10'),
    raw('SOCKS4', '\x04\x01\x00\x50\x7f\0\0\x01\0'),
    raw('SOCKS5', '\x05\x01\0'),
    raw('PROXY protocol v1', 'PROXY TCP4 1.2.3.4 127.0.0.1 1 2\r\n'),
    raw('PROXY protocol v2',
        '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x7f\0\0\x01\0\x01\0\x02'),
    raw('SSH', 'SSH-2.0-OpenSSH_9.2\r\n'),
    raw('SMTP', 'EHLO evil.example\r\n'),
    raw('RTSP', 'OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n'),
    raw('SIP', 'OPTIONS sip:a@b SIP/2.0\r\n\r\n'),
    raw('Redis', '*1\r\n$4\r\nPING\r\n'),
    raw('a status line', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    raw('all bytes', Array.from({length: 256}, (_, i) => String.fromCharCode(i)).join('')),
    raw('a megabyte of NUL', '\0'.repeat(1 << 20)),
    raw('a megabyte of LF', '\n'.repeat(1 << 20)),
    raw('a megabyte of CRLF', '\r\n'.repeat(1 << 19)),
  ]);
});

const field = (name, fields, expect = reject(), check = undefined) => ({
  name,
  expect,
  check,
  send: (k) => `${k.get}${typeof fields === 'function' ? fields(k) : fields}\r\n${
      expect.kind === 'reject' ? k.smuggled : ''}`
});
const lacks = (...names) => (request) => {
  const found = request.fields.find(([name]) => names.includes(name.replaceAll('_', '-')));
  return found ? `${found} was passed on` : null;
};
const floods = (count, size) =>
    Array.from({length: count}, (_, i) => `X-F${i}: ${'v'.repeat(size)}\r\n`).join('');

scenario('fields', async (s) => {
  const bytes = (name, list, make, expect) =>
      list.map((byte) => field(`${name} ${JSON.stringify(byte)}`, make(byte), expect));
  await attack(s, [
    ...bytes(
        'in a name',
        [
          '\0', '\x01', '\t', ' ', '"', '(', ',', '/', ';', '<', '=', '@', '[', '\\', '{', '\x7f',
          '\x80', '\xff', '\r'
        ],
        (byte) => `X${byte}Odd: v\r\n`),
    ...bytes(
        'in a value', ['\0', '\x01', '\b', '\v', '\f', '\r', '\x1b', '\x1f', '\x7f'],
        (byte) => `X-Odd: a${byte}b\r\n`),
    ...bytes('at a value\'s end', ['\0', '\v', '\r', '\x7f'], (byte) => `X-Odd: a${byte}\r\n`),
    ...bytes('at a line\'s start', [' ', '\t', '\v', '\0', ':'], (byte) => `${byte}X-Odd: a\r\n`),
    ...bytes('before the colon', [' ', '\t', '\0', '\v'], (byte) => `X-Odd${byte}: a\r\n`),
    field('a name that is empty', ': v\r\n'),
    field('a line without a colon', 'X-Odd\r\n'),
    field('CR then a field', 'X-Odd: a\rX-Planted: planted\r\n'),
    field('LF then a field', 'X-Odd: a\nX-Planted: planted\r\n'),
    field('NUL then a field', 'X-Odd: a\0X-Planted: planted\r\n'),
    field('LF ends a line', 'X-Odd: a\n'),
    field('LF LF ends the head', (k) => `X-Odd: a\n\n${k.smuggled}`),
    field('CR LF LF', (k) => `X-Odd: a\r\n\n${k.smuggled}`),
    field('folded with a space', 'X-Odd: a\r\n b\r\n'),
    field('folded with a tab', 'X-Odd: a\r\n\tb\r\n'),
    field('folded to a field', 'X-Odd: a\r\n X-Planted: planted\r\n'),
    field('folded to nothing', 'X-Odd: a\r\n \r\n'),
    {
      name: 'folded before the first field',
      expect: reject(),
      send: (k) => `GET ${k.target} HTTP/1.1\r\n X-Odd: a\r\n${k.top}\r\n`
    },
    field('bytes over 0x7f in a value', 'X-Odd: \x80\xa0\xff\r\n', clean('')),
    field('UTF-8 in a name', 'X-\xc3\xa9: v\r\n'),
    field('5,000 fields', floods(5000, 1)),
    field('200 fields', floods(200, 1), clean('')),
    field('a field of 256 KiB', `X-Odd: ${'v'.repeat(1 << 18)}\r\n`),
    field('a field of 1 MiB', `X-Odd: ${'v'.repeat(1 << 20)}\r\n`),
    field('a name of 256 KiB', `X-${'n'.repeat(1 << 18)}: v\r\n`),
    field('256 KiB in 64 fields', floods(64, 4096)),
    field('1 MiB of empty values', 'X-Odd:\r\n'.repeat(1 << 17)),
    field('a megabyte of spaces', `X-Odd:${' '.repeat(1 << 20)}v\r\n`),
    field(
        'Connection lists a field', 'Connection: X-Odd\r\nX-Odd: planted\r\n', clean(''),
        lacks('x-odd')),
    field(
        'Connection lists in odd case', 'Connection: close, x-oDD\r\nX-Odd: planted\r\n', clean(''),
        lacks('x-odd')),
    field(
        'Connection twice', 'Connection: keep-alive\r\nConnection: X-Odd\r\nX-Odd: planted\r\n',
        clean(''), lacks('x-odd')),
    field('Connection lists Host', 'Connection: Host\r\n', clean('')),
    field('Connection lists Authorization', 'Connection: Authorization\r\n', clean('')),
    field(
        'Connection lists Content-Length', 'Connection: Content-Length\r\nContent-Length: 0\r\n',
        clean('')),
    field('Connection is malformed', 'Connection: a b\r\n', clean('')),
    field('Connection of 10,000 options', `Connection: ${'x,'.repeat(5000)}close\r\n`),
    ...['Keep-Alive: planted', 'Proxy-Connection: planted', 'TE: planted', 'Upgrade: planted',
        'Proxy-Authenticate: planted', 'HTTP2-Settings: planted', 'Trailer: planted']
        .map((one) => field(`hop by hop, ${one}`, `${one}\r\n`, clean(''))),
    ...['X_Forwarded_For', 'Content_Length', 'Transfer_Encoding', 'Authorization_', 'Host_',
        'X_Odd']
        .map((name) => field(`underscore, ${name}`, `${name}: planted\r\n`, clean(''))),
    ...['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Real-IP', 'X-HTTP-Method-Override',
        'X-HTTP-Method', 'X-Method-Override', 'X-Original-URL', 'X-Original-Host', 'X-Rewrite-URL',
        'Cookie', 'reeve-agent']
        .map((name) => field(`claim, ${name}`, `${name}: planted\r\n`, clean(''))),

    field('many short lists', `Accept: ${'a/b,'.repeat(3000)}c/d\r\n`, clean('')),
    field('whitespace around a value', 'X-Odd: \t a \t \r\n', accept('')),
  ]);
});

const second = (name, send, expect, more = {}) => ({name, send, expect, ...more});
scenario('pipelining: each request is judged alone, nothing follows a fault', async (s) => {
  const outside = (k) => `GET /elsewhere?case=${k.id} HTTP/1.1\r\n${k.top}\r\n`;
  await attack(s, [
    second('the second is outside', (k) => `${k.get}\r\n${outside(k)}`, clean(''), {want: 2}),
    second(
        'the second climbs out',
        (k) => `${k.get}\r\nGET /api/../x?case=${k.id} HTTP/1.1\r\n${k.top}\r\n`, clean(''),
        {want: 2}),
    second(
        'the second is malformed', (k) => `${k.get}\r\nGET  / HTTP/1.1\r\n\r\n${k.smuggled}`,
        clean(''), {want: 3}),
    second(
        'the second has two lengths',
        (k) => `${k.get}\r\n${k.post}Content-Length: 0\r\nContent-Length: 5\r\n\r\n${k.smuggled}`,
        clean(''), {want: 3}),
    second(
        'the second has no credential',
        (k) => `${k.get}\r\nGET ${k.target} HTTP/1.1\r\nHost: ${k.host}\r\n\r\n`, clean(''),
        {want: 2}),
    second(
        'after close', (k) => `${k.get}Connection: close\r\n\r\n${k.smuggled}`, clean(''),
        {want: 2}),
    second(
        'after HTTP/1.0', (k) => `GET ${k.target} HTTP/1.0\r\n${k.top}\r\n${k.smuggled}`, clean(''),
        {want: 2}),
    second(
        'after a body that is too short',
        (k) => `${k.post}Content-Length: 5\r\n\r\nhello\0${k.smuggled}`, clean('hello'), {want: 2}),
    second('50 deep', (k) => `${k.get}\r\n`.repeat(50), {...accept(''), count: 50}),
    second(
        '50 deep with bodies', (k) => `${k.post}Content-Length: 2\r\n\r\nhi`.repeat(50),
        {...accept('hi'), count: 50}),
    second(
        '50 deep, chunked', (k) => `${k.chunked}2\r\nhi\r\n0\r\n\r\n`.repeat(50),
        {...accept('hi'), count: 50}),
    second('1,000 deep', (k) => `${k.get}\r\n`.repeat(1000), {...accept(''), count: 1000}),
    second(
        '100 outside, then one', (k) => outside(k).repeat(100) + `${k.get}\r\n`, clean(''),
        {want: 101, status: 404}),
    second(
        'HEAD, then one', (k) => `${k.get.replace('GET', 'HEAD')}\r\n${k.get}\r\n`,
        {...accept(''), count: 2}, {methods: ['HEAD', 'GET']}),
    second(
        'empty lines between', (k) => `${k.get}\r\n\r\n\r\n${k.get}\r\n`,
        {...accept(''), count: 2}),
    second(
        'many empty lines between', (k) => `${k.get}\r\n${'\r\n'.repeat(100)}${k.smuggled}`,
        clean(''), {want: 2}),
  ]);
});
