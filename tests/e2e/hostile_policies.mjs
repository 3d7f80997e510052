// Policies made to exhaust or mislead whoever reads them: [name, content, what must be said of it].
import {long} from './lib.mjs';
import {oneFile} from './versions.mjs';

const repeat = (count, make) => Array.from({length: count}, (_, i) => make(i)).join('');
const bomb = (levels, width, [open, close] = '[]') => repeat(levels + 1, (level) => {
  const value = level === 0 ? 'x' : `*a${level - 1}`;
  const items = repeat(width, (i) => open === '{' ? `k${i}: ${value},` : `${value},`);
  return `a${level}: &a${level} ${open}${items}${close}\n`;
});
const deep = (open, close = '', count = 100_000) =>
    `agents: ${open.repeat(count)}${close.repeat(count)}\n`;
const agent = '{owner: o, purpose: p, team: t, roles: [r]}';
// As large as a file may be with --long; else large enough that a cost which grows faster shows.
const many = long ? 100_000 : 20_000;
export const megabytes = (count) => count * 1024 * 1024;
const most = megabytes(long ? 16 : 1);
const tooDeep = /nesting past 64 levels|not valid YAML/;
const expands = /anchors and aliases expand past 10 MB/;
const cycle = /alias to a node that contains it/;
const duplicate = /duplicate key `/;
const oneDocument = /one document, split it/;
const notUtf8 = /bytes that are not UTF-8/;
const control = /control character U\+/;
const hidden = /invisible character U\+/;
const unknownKey = /unknown key `/;
const tooLarge = /larger than 16 MB; split it/;
const tooMany = /more than 2000000 values/;
const notYaml = /not valid YAML: /;
const good = oneFile('B');
const latin1 = (content) => Buffer.from(content, 'latin1');
export const hostile = [
  ['an alias bomb of 430 bytes', bomb(8, 10), expands],
  ['an alias bomb of mappings', bomb(8, 9, '{}'), expands],
  ['an alias bomb, narrow and long', bomb(60, 2), expands],
  [
    'a bomb of one long text', `a: &a ${'x'.repeat(megabytes(1))}\nb: [${'*a,'.repeat(20)}]\n`,
    expands
  ],
  ['many aliases of one mapping', `a: &a ${agent}\nb: [${'*a,'.repeat(200_000)}]\n`, expands],
  [
    'anchors in anchors',
    `a: ${repeat(60, (i) => `&a${i} [`)}${'x,'.repeat(60_000)}${']'.repeat(60)}\n`, expands
  ],
  ['an anchor for each of 1,000,000', repeat(1_000_000, (i) => `- &a${i} x\n`), expands],
  [
    'a chain of aliases', `a0: &a0 [x]\n${repeat(99, (i) => `a${i + 1}: &a${i + 1} [*a${i}]\n`)}`,
    tooDeep
  ],
  ['a cycle', 'agents: &a [*a]\n', cycle],
  ['a cycle through a mapping', 'agents: &a {b: {c: *a}}\n', cycle],
  ['a cycle as a key', 'agents: &a {*a : b}\n', /alias to a node|a key that is not text/],
  ['an alias of nothing', 'agents: *nothing\n', notYaml],
  ['a merge key', `x: &x ${agent}\nagents:\n  a: {<<: *x}\n`, unknownKey],
  ['501 levels', deep('[', ']', 501), tooDeep],
  ['100,000 open brackets', deep('['), tooDeep],
  ['100,000 open braces', deep('{'), tooDeep],
  ['100,000 mappings in each other', deep('{a: ', '}'), tooDeep],
  ['100,000 dashes in a line', `agents:\n  ${'- '.repeat(100_000)}x\n`, tooDeep],
  ['100,000 explicit keys', `agents:\n  ${'? '.repeat(100_000)}x\n`, tooDeep],
  ['100,000 keys of lists', deep('[? '), tooDeep],
  ['2,000 levels of indentation', repeat(2000, (i) => `${' '.repeat(i)}a:\n`), tooDeep],
  ['8,000,000 closing brackets', `agents: ${']'.repeat(8_000_000)}\n`, notYaml],
  [
    'many agents without anything', `agents:\n${repeat(many, (i) => `  a${i}: {}\n`)}`,
    /without `owner`/
  ],
  ['100,000 unknown keys', repeat(100_000, (i) => `key${i}: x\n`), unknownKey],
  [
    'many unknown keys, one beside the other', `{${repeat(many, (i) => `key${i}: x, `)}}`,
    unknownKey
  ],
  [
    'many roles that nobody defines',
    `agents:\n  a: {owner: o, purpose: p, team: t, roles: [${repeat(many, (i) => `r${i},`)}]}\n`,
    /unknown role `/
  ],
  ['many times the same key', 'agents: {}\n'.repeat(many), duplicate],
  [
    'many keys that are there twice',
    `agents:\n${repeat(many, (i) => `  a${i % (many / 2)}: ${agent}\n`)}`, duplicate
  ],
  ['keys that differ by quotes', `agents: {a: ${agent}, "a": ${agent}}\n`, duplicate],
  ['keys that differ by an escape', `agents: {a: ${agent}, "\\x61": ${agent}}\n`, duplicate],
  [
    'a duplicate key deep inside', `${good.replace('...\n', '')}    deny: {upstream: api}\n`,
    duplicate
  ],
  [
    'roles in a circle of 10,000',
    `agents: {a: ${agent}}\nroles:\n  r: {inherits: r0}\n${
        repeat(10_000, (i) => `  r${i}: {inherits: r${(i + 1) % 10_000}}\n`)}`,
    /inherit/
  ],
  ['a second document', `${good.replace('...', '---')}agents: {}\n`, oneDocument],
  ['a second document after the end', `${good}agents: {}\n`, oneDocument],
  ['two documents that begin with dashes', `---\n${good}---\n${good}`, oneDocument],
  ['100,000 documents', `${good}${'---\n'.repeat(100_000)}`, oneDocument],
  ['a directive', `%YAML 1.2\n---\n${good}`, /a directive/],
  ['100,000 directives', '%TAG ! tag:x,2000:\n'.repeat(100_000), /a directive/],
  ['a tag', 'agents: !!python/object:os.system {}\n', /tags have no meaning here/],
  ['a tab', good.replace('    owner', '\towner'), /tab in the indentation/],
  ['a byte order mark', `\ufeff${good}`, /byte order mark/],
  ['UTF-16', Buffer.from(good, 'utf16le'), control],
  ['UTF-16 with its mark', Buffer.from(`\ufeff${good}`, 'utf16le'), notUtf8],
  ['NUL', good.replace('Testing', 'Test\0ing'), control],
  ['NUL at the end', `${good}\0`, control],
  ['NUL by an escape', good.replace('Testing', '"Test\\0ing"'), /NUL character/],
  ['megabytes of NUL', Buffer.alloc(most), control],
  ['Latin-1', latin1(good.replace('Testing', 'Pr\xfcfung')), notUtf8],
  ['overlong UTF-8', latin1(good.replace('Testing', '\xc0\xaf')), notUtf8],
  ['a surrogate', latin1(good.replace('Testing', '\xed\xa0\x80')), notUtf8],
  ['text that runs backwards', good.replace('Testing', '\u202egnitseT'), hidden],
  ['a line separator', good.replace('Testing', 'Test\u2028ing'), hidden],
  ['a carriage return inside a line', good.replace('Testing', 'Test\ring'), control],
  ['escape sequences of a terminal', good.replace('Testing', '\x1b[2JTesting'), control],
  ['a quote that is never closed', good.replace('Testing', '"Testing'), /quote|not valid YAML/],
  ['megabytes within a quote', `agents: "${'x'.repeat(most - 20)}\n`, /quote that is never closed/],
  ['megabytes in one word', `${'x'.repeat(most - 20)}\n`, /policy must be a mapping/],
  ['megabytes of comments', '#\n'.repeat(most / 2), /empty policy/],
  ['megabytes of empty lines', '\n'.repeat(most), /empty policy/],
  ['megabytes of spaces', ' '.repeat(most), /empty policy/],
  ['more than 2,000,000 short items', `agents: [${'x,'.repeat(2_000_001)}]\n`, tooMany],
  ...(long ? [['more than 2,000,000 lines with a dash', '- x\n'.repeat(2_000_001), tooMany]] : []),
  ['megabytes of colons', ':'.repeat(most - 10), /policy must be a mapping|not valid YAML/],
  ['one byte more than 16 MB', `${good}${'#'.repeat(megabytes(16) - good.length)}\n`, tooLarge],
  ['nothing', '', /empty policy/],
  ['a word', 'agents\n', /policy must be a mapping/],
  ['a list', '- agents\n', /policy must be a mapping/],
  ['JSON cut short', '{"agents": {"a": {', notYaml],
  [
    'an expression that RE2 refuses', good.replace('GET /b/**', 'GET re:/b/(?=x)'),
    /is not a valid RE2 expression/
  ],
  [
    'an expression that repeats a thousand times thousand',
    good.replace('GET /b/**', 'GET re:/((a{100}){100}){100}'), /is not a valid RE2 expression/
  ],
];
