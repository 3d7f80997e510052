// Every byte value at every delicate place of a request: whatever comes of it, the origin is sent
// only messages that all readers frame in the same way, of each case one at most and nothing else,
// and who calls next gets its own answer. 27 places of 256 values, 6,912 requests.
import {attack, clean} from './attack.mjs';
import {scenario} from './lib.mjs';

const places = {
  'before the method': (k, b) => `${b}${k.get}\r\n`,
  'in the method': (k, b) => k.get.replace('GET', `G${b}T`) + '\r\n',
  'after the method': (k, b) => k.get.replace('GET ', `GET${b}`) + '\r\n',
  'in the path': (k, b) => k.get.replace('/api/a', `/api/a${b}b`) + '\r\n',
  'in the query': (k, b) => k.get.replace(' HTTP', `&q=${b}x HTTP`) + '\r\n',
  'before the version': (k, b) => k.get.replace(' HTTP', `${b}HTTP`) + '\r\n',
  'after the version': (k, b) => k.get.replace('HTTP/1.1', `HTTP/1.1${b}`) + '\r\n',
  'at the start of a field': (k, b) => `${k.get}${b}X-A: v\r\n\r\n`,
  'in a field name': (k, b) => `${k.get}X-${b}A: v\r\n\r\n`,
  'before the colon': (k, b) => `${k.get}X-A${b}: v\r\n\r\n`,
  'in a field value': (k, b) => `${k.get}X-A: v${b}w\r\n\r\n`,
  'at the end of a field': (k, b) => `${k.get}X-A: v${b}\r\n\r\n`,
  'in Host': (k, b) => k.get.replace('Host: 127', `Host: ${b}127`) + '\r\n',
  'after Host': (k, b) => k.get.replace('\r\nAuth', `${b}\r\nAuth`) + '\r\n',
  'before the length': (k, b) => `${k.post}Content-Length: ${b}5\r\n\r\nhello`,
  'after the length': (k, b) => `${k.post}Content-Length: 5${b}\r\n\r\nhello`,
  'before the coding': (k, b) =>
      `${k.post}Transfer-Encoding: ${b}chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  'after the coding': (k, b) =>
      `${k.post}Transfer-Encoding: chunked${b}\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  'in the coding\'s name': (k, b) =>
      `${k.post}Transfer-Encoding${b}: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  'before a chunk size': (k, b) => `${k.chunked}${b}5\r\nhello\r\n0\r\n\r\n`,
  'after a chunk size': (k, b) => `${k.chunked}5${b}\r\nhello\r\n0\r\n\r\n`,
  'in a chunk extension': (k, b) => `${k.chunked}5;a${b}\r\nhello\r\n0\r\n\r\n`,
  'in a quoted extension': (k, b) => `${k.chunked}5;a="${b}"\r\nhello\r\n0\r\n\r\n`,
  'after the chunk data': (k, b) => `${k.chunked}5\r\nhello${b}\r\n0\r\n\r\n`,
  'after the last chunk': (k, b) => `${k.chunked}5\r\nhello\r\n0${b}\r\n\r\n`,
  'in a trailer\'s name': (k, b) => `${k.chunked}5\r\nhello\r\n0\r\nX${b}A: v\r\n\r\n`,
  'in a trailer\'s value': (k, b) => `${k.chunked}5\r\nhello\r\n0\r\nX-A: v${b}\r\n\r\n`,
};
const values = Array.from({length: 256}, (_, i) => String.fromCharCode(i));

for (const [place, send] of Object.entries(places)) {
  scenario(`every byte ${place}`, async (s) => {
    await attack(s, values.map((byte, i) => ({
                                 name: `0x${i.toString(16)} ${place}`,
                                 // A length or a size may become another, valid one: then what
                                 // follows is cut off with the connection, or is a body of other
                                 // bytes. What hides behind must not run in any case.
                                 expect: {...clean(), partial: true},
                                 half: true,
                                 send: (k) => send(k, byte)
                               })));
  });
}
