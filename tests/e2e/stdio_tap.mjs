// Stands before a server on standard input and output, and writes down what reaches it:
//
//     node stdio_tap.mjs FILE PROGRAM ARGUMENT…
import {spawn} from 'node:child_process';
import {appendFileSync} from 'node:fs';

const [file, program, ...words] = process.argv.slice(2);
const server = spawn(program, words, {stdio: ['pipe', 'inherit', 'inherit']});
process.stdin.on('data', (data) => {
  appendFileSync(file, data);
  server.stdin.write(data);
});
process.stdin.on('end', () => server.stdin.end());
server.stdin.on('error', () => {});
server.on('exit', (code) => process.exit(code ?? 1));
