// yaml-language-server as an editor runs it: over standard input and output, with nothing but a
// file's own modeline to tell which schema is meant. The public store of schemas is switched off.
import {spawn} from 'node:child_process';
import {join} from 'node:path';
import {pathToFileURL} from 'node:url';

import {root, until, within} from './wire.mjs';

const settings = {
  yaml: {validate: true, completion: true, hover: true, schemaStore: {enable: false}},
};

export class LanguageServer {
  waiting = new Map();
  diagnostics = new Map();  // of each file, as last told
  texts = new Map();
  received = Buffer.alloc(0);
  errors = '';
  nextId = 1;

  async start(folder) {
    const main = join(root, 'tests/node_modules/yaml-language-server/bin/yaml-language-server');
    this.child = spawn(process.execPath, [main, '--stdio'], {cwd: folder});
    this.child.stderr.on('data', (data) => {
      this.errors += data;
    });
    this.child.stdout.on('data', (data) => this.read(data));
    this.child.stdin.on('error', () => {});
    const uri = pathToFileURL(folder).href;
    await this.request('initialize', {
      processId: process.pid,
      rootUri: uri,
      workspaceFolders: [{uri, name: 'policies'}],
      capabilities: {
        workspace: {configuration: true},
        textDocument: {completion: {}, hover: {}, publishDiagnostics: {}},
      },
    });
    this.send({method: 'initialized', params: {}});
  }
  stop() {
    this.child?.kill('SIGKILL');
  }

  // The files' addresses; places are counted from 0, as the protocol does.
  open(path, text) {
    const uri = pathToFileURL(path).href;
    this.texts.set(uri, text);
    const textDocument = {uri, languageId: 'yaml', version: 1, text};
    this.send({method: 'textDocument/didOpen', params: {textDocument}});
    return uri;
  }
  // What is offered at the end of a line that ends with `typed`. As editors do, it keeps of the
  // offers those that go on from there.
  async complete(uri, line, typed) {
    const character = this.texts.get(uri).split('\n')[line].length;
    const params = {textDocument: {uri}, position: {line, character}};
    const answer = await this.request('textDocument/completion', params);
    const labels = (answer.items ?? answer).map((item) => item.label);
    return labels.filter((label) => label.startsWith(typed));
  }
  async hover(uri, line, character) {
    const params = {textDocument: {uri}, position: {line, character}};
    return JSON.stringify((await this.request('textDocument/hover', params))?.contents);
  }
  // The marks of a file, at least `count` of them, from above.
  async diagnose(uri, count) {
    const marks = () => this.diagnostics.get(uri);
    await until(() => marks()?.length >= count, `${count} diagnostics of ${uri}`);
    return marks().sort((a, b) => a.range.start.line - b.range.start.line);
  }

  request(method, params) {
    const id = this.nextId++;
    const answer = new Promise((resolve, reject) => this.waiting.set(id, {resolve, reject}));
    this.send({id, method, params});
    return within(answer, `an answer to ${method}: ${this.errors}`);
  }
  send(message) {
    const body = JSON.stringify({jsonrpc: '2.0', ...message});
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
  read(data) {
    this.received = Buffer.concat([this.received, data]);
    for (;;) {
      const end = this.received.indexOf('\r\n\r\n');
      if (end < 0) return;
      const size = Number(/Content-Length: (\d+)/i.exec(this.received.subarray(0, end))[1]);
      if (this.received.length < end + 4 + size) return;
      const body = this.received.subarray(end + 4, end + 4 + size).toString();
      this.received = this.received.subarray(end + 4 + size);
      this.handle(JSON.parse(body));
    }
  }
  handle({id, method, params, result, error}) {
    if (method === 'textDocument/publishDiagnostics') {
      this.diagnostics.set(params.uri, params.diagnostics);
    } else if (method === 'workspace/configuration') {
      this.send({id, result: params.items.map((item) => settings[item.section] ?? {})});
    } else if (method && id !== undefined) {
      this.send({id, result: null});
    } else if (this.waiting.has(id)) {
      const {resolve, reject} = this.waiting.get(id);
      this.waiting.delete(id);
      if (error)
        reject(new Error(error.message));
      else
        resolve(result);
    }
  }
}
