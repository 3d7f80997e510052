// Strict readers of HTTP/1.1 that share no code with reeve (RFC 9110, RFC 9112): what a recording
// origin was sent, and what a raw client got. Only messages that every conforming reader frames in
// the same way are read; anything else is a violation. Text is latin1, a character for each byte.
const token = '[!#$%&\'*+\\-.^_`|~0-9A-Za-z]+';
const quoted =
    '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*"';
const requestLine = new RegExp(`^(${token}) ([\\x21-\\x7e]+) HTTP/1\\.([01])$`);
const statusLine = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t \x21-\x7e\x80-\xff]*)?$/;
const fieldLine = new RegExp(`^(${token}):([\\t \\x21-\\x7e\\x80-\\xff]*)$`);
const hostValue = /^(?:[A-Za-z0-9\-._~%!$&'()*+;=]*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;
const chunkLine = new RegExp(
    `^([0-9A-Fa-f]{1,15})(?:[\\t ]*;[\\t ]*${token}(?:[\\t ]*=[\\t ]*(?:${token}|${quoted}))?)*$`);

export class Violation extends Error {}
class More extends Error {}

// Walks over text; throws More where it ends too early.
class Cursor {
  constructor(text, at) {
    Object.assign(this, {text, at});
  }
  line() {
    const end = this.text.indexOf('\n', this.at);
    if (end < 0) throw new More();
    const line = this.text.slice(this.at, end);
    this.at = end + 1;
    if (!line.endsWith('\r')) throw new Violation('a line ended by a bare LF');
    if (/[\r\0]/.test(line.slice(0, -1))) throw new Violation('CR or NUL within a line');
    return line.slice(0, -1);
  }
  exactly(count) {
    if (this.text.length - this.at < count) throw new More();
    this.at += count;
    return this.text.slice(this.at - count, this.at);
  }
  fields() {
    const fields = [];
    for (let line = this.line(); line; line = this.line()) {
      const match = fieldLine.exec(line);
      if (!match) throw new Violation(`field line ${JSON.stringify(line.slice(0, 60))}`);
      fields.push([match[1].toLowerCase(), match[2].replace(/^[\t ]+|[\t ]+$/g, '')]);
    }
    return fields;
  }
}
const all = (message, name) => message.fields.filter(([key]) => key === name).map(([, v]) => v);

// Sets message.body and message.trailers; a length that disagrees with a coding is a violation.
function framing(message, version) {
  const lengths = all(message, 'content-length');
  const codings = all(message, 'transfer-encoding');
  if (lengths.length + codings.length > 1)
    throw new Violation('more than one field says where the body ends');
  if (lengths.length && !/^\d{1,18}$/.test(lengths[0]))
    throw new Violation(`Content-Length ${JSON.stringify(lengths[0].slice(0, 40))}`);
  if (codings.length && (codings[0].toLowerCase() !== 'chunked' || version === '0'))
    throw new Violation(`Transfer-Encoding ${JSON.stringify(codings[0].slice(0, 40))}`);
  return {length: lengths.length ? Number(lengths[0]) : undefined, chunked: codings.length > 0};
}
function chunks(cursor, message) {
  const parts = [];
  for (;;) {
    const line = cursor.line();
    const match = chunkLine.exec(line);
    if (!match) throw new Violation(`chunk line ${JSON.stringify(line.slice(0, 60))}`);
    const size = parseInt(match[1], 16);
    if (size === 0) break;
    parts.push(cursor.exactly(size));
    if (cursor.exactly(2) !== '\r\n') throw new Violation('a chunk longer than its size');
  }
  message.body = parts.join('');
  message.trailers = cursor.fields();
}

function request(cursor, message) {
  const line = cursor.line();
  const match = requestLine.exec(line);
  if (!match) throw new Violation(`request line ${JSON.stringify(line.slice(0, 80))}`);
  [, message.method, message.target] = match;
  message.fields = cursor.fields();
  const hosts = all(message, 'host');
  if (hosts.length !== 1 || !hostValue.test(hosts[0])) throw new Violation(`Host ${hosts}`);
  const {length, chunked} = framing(message, match[3]);
  if (chunked) {
    chunks(cursor, message);
  } else if (length) {
    message.body = cursor.exactly(length);
  }
}

function response(cursor, message, method, ended) {
  const line = cursor.line();
  const match = statusLine.exec(line);
  if (!match) throw new Violation(`status line ${JSON.stringify(line.slice(0, 80))}`);
  message.status = Number(match[2]);
  message.fields = cursor.fields();
  const {length, chunked} = framing(message, match[1]);
  const none = message.status < 200 || message.status === 204 || message.status === 304;
  if (none || method === 'HEAD') return;
  if (chunked) {
    chunks(cursor, message);
  } else if (length !== undefined) {
    message.body = cursor.exactly(length);
  } else {
    if (!ended) throw new More();
    message.body = cursor.exactly(cursor.text.length - cursor.at);
  }
}

// Everything that stands in `text`: whole messages, `partial` (one that is still open, as far as it
// was read), or the `violation` that ended the reading.
function readAll(text, one) {
  const messages = [];
  for (let at = 0; at < text.length;) {
    const cursor = new Cursor(text, at);
    const message = {fields: [], trailers: [], body: '', method: '', target: ''};
    try {
      one(cursor, message);
    } catch (error) {
      if (error instanceof More) return {messages, partial: message, end: at};
      if (error instanceof Violation) return {messages, violation: error.message, end: at};
      throw error;
    }
    messages.push(message);
    at = cursor.at;
  }
  return {messages, end: text.length};
}
export const readRequests = (text) => readAll(text, request);
// `methods` are those of the requests, in order; `ended` when the other side has closed.
export function readResponses(text, {methods = [], ended = false} = {}) {
  let finals = 0;
  return readAll(text, (cursor, message) => {
    response(cursor, message, methods[finals], ended);
    if (message.status >= 200) ++finals;
  });
}
