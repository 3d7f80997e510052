// Attacks by the chunked coding (RFC 9112 section 7.1): sizes, line ends, extensions, data that is
// not as long as it says, trailers. A head may have gone on before the fault is seen; then the
// request upstream is cut off unfinished.
import {accept, attack, clean, reject} from './attack.mjs';
import {scenario} from './lib.mjs';

const hello = '5\r\nhello\r\n';
const last = '0\r\n\r\n';
const late = reject({partial: true});
const body = (name, text, expect = late) => ({
  name,
  expect,
  send: (k) => `${k.chunked}${typeof text === 'function' ? text(k) : text}${
      expect.kind === 'reject' ? k.smuggled : ''}`
});
const size = (text) => body(`size ${JSON.stringify(text)}`, `${text}\r\nhello\r\n${last}`);

scenario('chunk sizes', async (s) => {
  await attack(s, [
    ...['+5', '-5', '-0', '0x5', '0X5', ' 5', '5 ', '\t5', '5\t', '05g', '5g', '5.', '5,', '5h',
        '$5', '"5"', '5 5', '', ' ', 'g', '0x',
        '\0' +
            '5',
        '5\0', '5\v', '5\xa0', '\xd9\xa5', '5\x7f', '10000000000000005', 'ffffffffffffffff',
        'fffffffffffffffe', '100000000000000000000000000000005', 'ffffffff00000005', '5_0', '5\\']
        .map(size),
    body('size with many leading zeros', `${'0'.repeat(100_000)}5\r\nhello\r\n${last}`),
    body('an endless size', '0'.repeat(1 << 20)),
    body('a few leading zeros', `0005\r\nhello\r\n000\r\n\r\n`, clean('hello')),
    body(
        'upper and lower case', `A\r\n0123456789\r\na\r\n0123456789\r\n${last}`,
        accept('0123456789'.repeat(2))),
    body(
        'chunks of one byte', 'x'.repeat(2000).replace(/x/g, '1\r\nx\r\n') + last,
        accept('x'.repeat(2000))),
  ]);
});

scenario('the ends of chunk lines', async (s) => {
  await attack(s, [
    body('LF after the size', `5\nhello\r\n${last}`),
    body('CR after the size', `5\rhello\r\n${last}`),
    body('CR CR LF after the size', `5\r\r\nhello\r\n${last}`),
    body('LF after the data', `5\r\nhello\n${last}`),
    body('CR after the data', `5\r\nhello\r${last}`),
    body('nothing after the data', `5\r\nhello${last}`),
    body('two other bytes after the data', `5\r\nhelloXX${last}`),
    body('an empty line before the size', `\r\n${hello}${last}`),
    body('LF after the last chunk', `${hello}0\n\r\n`),
    body('LF LF at the end', `${hello}0\n\n`),
    body('CR at the end', `${hello}0\r\n\rX`),
    body('LF at the end', `${hello}0\r\n\n`),
    body('data longer than its size', `3\r\nhello\r\n${last}`),
    body('data shorter than its size', `6\r\nhello\r\n${last}`),
    body(
        'a size that takes in the next chunk', `f\r\nhello\r\n${hello}${last}`,
        clean('hello\r\n5\r\nhello')),
    {
      ...body('a size of 2^63 - 1', ''),
      half: true,
      send: (k) => `${k.chunked}7fffffffffffffff\r\nhello\r\n`
    },
    body('something after the last chunk', `${hello}0\r\nX\r\n\r\n`),
    body('a second last chunk', (k) => `${hello}${last}0\r\n\r\n${k.smuggled}`, clean('hello')),
    {
      ...body('cut off in the data', '5\r\nhel'),
      half: true,
      expect: late,
      send: (k) => `${k.chunked}5\r\nhel`
    },
    {...body('cut off in a size', '5'), half: true, send: (k) => `${k.chunked}${hello}5`},
    {
      ...body('cut off before the last chunk', hello),
      half: true,
      send: (k) => `${k.chunked}${hello}`
    },
    {
      ...body('cut off in the trailers', hello),
      half: true,
      send: (k) => `${k.chunked}${hello}0\r\nX-A: b\r\n`
    },
  ]);
});

const extension = (name, text, expect) =>
    body(`extension, ${name}`, `5${text}\r\nhello\r\n${last}`, expect);
scenario('chunk extensions', async (s) => {
  await attack(s, [
    extension('a name', ';a', clean('hello')),
    extension('a value', ';a=b', clean('hello')),
    extension('quoted', ';a="b;c"', clean('hello')),
    extension('quoted with a quote', ';a="b\\"c"', clean('hello')),
    extension('8-bit in quotes', ';a="\xe9"', clean('hello')),
    extension('spaces around', ' ; a = b', clean('hello')),
    extension('empty', ';'),
    extension('no value', ';a='),
    extension('no name', ';=b'),
    extension('an open quote', ';a="b'),
    extension(
        'an open quote over the line',
        ';a="\r\n' +
            'b"'),
    extension('a quote in a token', ';a=b"c"'),
    extension('after the quotes', ';a="b"c'),
    extension('two equals signs', ';a=b=c'),
    extension('a space within', ';a b'),
    extension('without semicolon', ' a=b'),
    extension('LF', ';a\nb'),
    extension('LF and a size', ';a\n0\r\n\r\n'),
    extension('CR', ';a\rb'),
    extension('NUL', ';a\0b'),
    extension('NUL in quotes', ';a="\0"'),
    extension('DEL in quotes', ';a="\x7f"'),
    extension('CR in quotes', ';a="\r"'),
    extension('8-bit in a name', ';\xe9=b'),
    extension('a separator', ';a,b'),
    extension('1 MiB', `;${'a'.repeat(1 << 20)}`),
    extension('1 MiB in quotes', `;a="${'b'.repeat(1 << 20)}"`),
    extension('1 MiB of small ones', ';a=b'.repeat(1 << 18)),
    body('extension, 20,000 of 60 bytes', `1;${'e'.repeat(60)}\r\nx\r\n`.repeat(20_000) + last),
    body('extension, on the last chunk', `${hello}0;a=b\r\n\r\n`, clean('hello')),
    body('extension, open quote on the last chunk', `${hello}0;a="b\r\n\r\n`),
    body('extension, LF on the last chunk', `${hello}0;\n\r\n\r\n`),
    body('extension, 1 MiB on the last chunk', `${hello}0;${'a'.repeat(1 << 20)}\r\n\r\n`),
  ]);
});

const trailer = (name, lines, expect = clean('hello')) =>
    body(`trailer, ${name}`, `${hello}0\r\n${lines}\r\n`, expect);
scenario('trailers', async (s) => {
  await attack(s, [
    trailer('a checksum', 'X-Checksum: 1\r\n'),
    trailer('Content-Length', 'Content-Length: 5\r\n'),
    trailer('Transfer-Encoding', 'Transfer-Encoding: chunked\r\n'),
    trailer('Host', 'Host: planted.example\r\n'),
    trailer('Authorization', 'Authorization: Bearer planted\r\n'),
    trailer('the upstream\'s credential in _ form', 'AUTHORIZATION_: planted\r\n'),
    trailer('Cookie', 'Cookie: planted=1\r\n'),
    trailer('Connection', 'Connection: close, planted\r\n'),
    trailer('X-Forwarded-For', 'X-Forwarded-For: planted\r\n'),
    trailer('X-HTTP-Method-Override', 'X-HTTP-Method-Override: planted\r\n'),
    trailer('Expect', 'Expect: planted\r\n'),
    trailer('LF', 'X-A: b\n', late),
    trailer('CR', 'X-A: b\rc\r\n', late),
    trailer('NUL', 'X-A: b\0\r\n', late),
    trailer('folded', 'X-A: b\r\n c\r\n', late),
    trailer('a space before the colon', 'X-A : b\r\n', late),
    trailer('no colon', 'X-A\r\n', late),
    trailer('a request line', 'GET /planted HTTP/1.1\r\n', late),
    trailer('an empty name', ': b\r\n', late),
    trailer('DEL in a value', 'X-A: \x7f\r\n', late),
    trailer('1 MiB', `X-A: ${'b'.repeat(1 << 20)}\r\n`, late),
    trailer('1 MiB in 20,000 lines', `X-A: ${'b'.repeat(46)}\r\n`.repeat(20_000), late),
    {
      name: 'trailer, announced',
      expect: clean('hello'),
      send: (k) => `${k.post}Trailer: X-A, Content-Length\r\nTransfer-Encoding: chunked\r\n\r\n${
          hello}0\r\nX-A: planted\r\n\r\n`
    },
  ]);
});
