// policy/schema/policy.schema.json and the parser are of one mind: what one takes, so does the
// other, key by key and form by form; and an editor that is given the schema completes and marks.
//
// Each object of the schema has a place in `contexts`: a policy that is good but for what is put
// there. The parser is asked by `reeve check`, and its lists of keys are read from its messages.
// What only names can tell (an unknown role, two agents with one token) is not the schema's.
import Ajv from 'ajv/dist/2020.js';
import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join, relative} from 'node:path';
import YAML from 'yaml';

import {LanguageServer} from './language_server.mjs';
import {assert, reeve, root, scenario} from './lib.mjs';

const schemaPath = join(root, 'policy/schema/policy.schema.json');
const schema = JSON.parse(readFileSync(schemaPath, 'utf8'));
const ajv = new Ajv({allErrors: true, strictTypes: false});
ajv.addVocabulary(['patternErrorMessage']);
const validate = ajv.compile(schema);

// ---- policies that are good but for what is put in one place

const agent = {
  owner: 'dana@acme.example',
  purpose: 'Testing',
  team: 'testers',
  roles: ['r']
};
const withAgent = (more) => ({agents: {a: {...agent, ...more}}, roles: {r: {}}});
const withRole = (role) => ({agents: {a: agent}, roles: {r: role, other: {}}});
const withRule = (effect, more) => withRole({[effect]: [{upstream: 'u', ...more}]});
const withBudget = (more) => ({
  ...withRole({}),
  budgets: {b: {for: 'everyone', limit: '1 USD per day', upstream: 'u', ...more}}
});
const withWhen = (when) => withRule('allow', {when});
const contexts = {
  'policy': (more) => ({...withRole({}), ...more}),
  'agent': withAgent,
  'identity': (proof) => withAgent({identity: [proof]}),
  'role': withRole,
  'allow-rule': (more) => withRule('allow', more),
  'deny-rule': (more) => withRule('deny', more),
  'budget': withBudget,
  'scope': (scope) => withBudget({for: scope
  }),
  'price': (more) => ({...withRole({}), prices: [{upstream: 'u', cost: '1 USD', ...more}]}),
  'when': withWhen,
  'value-tests': (tests) => withWhen({'args.x': tests}),
  'tests': (tests) => withWhen({'args.x': {any: tests}}),
  'time': (time) => withWhen({time}),
};
const hash = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

// For each key what may stand there, and what may not; `with` is what it needs beside it.
const glob = {
  good: ['a', 'a*?', ['a', 're:[a-z]+'], '\\[a\\]'],
  bad: ['[a]', '{a}', 'a\\b', [], [['a']]]
};
const date = {
  good: ['2027-03-31'],
  bad: ['2027-13-01', '31.03.2027', 'tomorrow', '2027-3-1', '']
};
const text = {
  good: ['Some text', 42],
  bad: ['', {}, [], null]
};
const texts = {
  good: ['u', ['u', 'v']],
  bad: [[], '', {}, [{}]]
};
const number = {
  good: [0, -1, 0.5, 1e9],
  bad: ['1', 'one', true, null, [1]]
};
const limit = {
  good: [
    '20 USD per day', '0.5 EUR per minute', '500 USD total', '100 calls per hour', '1 call total',
    '9 USD per week', '9 USD per month', '9 USD per quarter', '9 USD per year'
  ],
  bad: [
    20, '20 per day', '20 USD', 'USD 20 per day', '-1 USD per day', '1.0000001 USD per day',
    '20 usd per day', '20 USD per fortnight', '1.5 calls per day', '100 tokens per day', ''
  ]
};
const zone = {
  good: ['UTC', 'Europe/Berlin', 'Etc/GMT+1'],
  bad: ['', ' ', {}, '+01:00']
};
const nested = {
  good: ['x', 1, true, ['x', 1], {max: 1}, {not: {any: {min: 1}}}],
  bad: [[], {}, {default: 1, is: 1}, null]
};
const word = (...good) => ({good, bad: ['nonsense', '', {}, []]});
const rules = {
  good: [{upstream: 'u'}, [{upstream: 'u'}, {upstream: 'v'}]],
  bad: [[], 'all', {}, [[]]]
};
const selectors = {
  upstream: glob,
  tools: glob,
  resources: glob,
  prompts: glob,
  http: {
    good: [
      'GET /', '* /**', 'GET,HEAD /a/*/b', ['PURGE /x', 're:GET /a/.*'], 'GET re:/a/[0-9]+',
      'GET  /a'
    ],
    bad: ['/a', 'GET', 'get /a', 'GET a', 'GET,, /a', 'GET, /a', 'GET /[a]', 'GET ', []]
  },
  methods: {
    good: ['ping', 'completion/*', ['ping', 'tools/list']],
    bad: ['tools/call', ['ping', 'resources/read'], 'prompts/get', []]
  },
  except: {...glob, with: {tools: '*'}},
};
const rule = {
  ...selectors,
  id: text,
  because: text,
  until: date,
  when:
      {good: [{'args.x': 1}, {'header.x': 'y', 'time': {days: 'mon'}}], bad: [{}, [], 'x', {x: 1}]},
};
const tests = {
  min: number,
  max: number,
  above: number,
  below: number,
  is: {good: ['x', 1, true, ['x', 1]], bad: [[], {}, null, [[1]]]},
  not: nested,
  any: nested,
  all: nested,
  matches: {good: ['[a-z]+'], bad: ['', {}, []]},
  glob: {good: ['a*'], bad: ['[a]', '', {}, ['a']]},
  prefix: {good: ['a'], bad: ['', {}, ['a']]},
  under: {good: ['/', '/data'], bad: ['data', '', {}, ['/data']]},
  host: {good: ['acme.example', ['*.acme.example']], bad: ['[::1]', '', {}, []]},
  present: {good: [true, false], bad: ['true', 1, {}]},
  length: {good: [{max: 3}, {min: 1, below: 5}], bad: [3, {}, [], 'x']},
};
const forms = {
  'policy': {
    version: {good: [1], bad: [2, 'one', 1.5]},
    mode: word('enforce'),
    currency: {good: ['USD'], bad: ['usd', 'Dollar', '', {}]},
    upstreams: texts,
    agents: {good: [null, {}, {b: agent}], bad: [[], 'b', {b: {}}, {b: []}]},
    roles: {good: [{r: {}, s: {allow: {upstream: 'u'}}}], bad: [[], 'r', {r: []}, {r: {}, '': {}}]},
    budgets:
        {good: [null, {}, {b: {for: 'everyone', limit: '1 USD total'}}], bad: [[], 'b', {b: {}}]},
    prices: {
      good: [null, [], [{upstream: 'u', cost: '1 USD'}]],
      bad: [{}, 'p', [{}], [{upstream: 'u'}]]
    },
  },
  'agent': {
    owner: text,
    purpose: text,
    team: text,
    risk: word('minimal', 'limited', 'high'),
    roles: {good: ['r', ['r']], bad: [[], '', {}]},
    identity: {
      good: [[], [{listener: 'local'}]],
      bad: [{listener: 'local'}, 'x', [{}], [{token_sha256: hash, listener: 'l'}]]
    },
    status: word('active', 'suspended', 'retired'),
    expires: date,
    budget: limit,
  },
  'identity': {
    token_sha256:
        {good: [hash, hash.toUpperCase()], bad: ['secret', hash.slice(1), `${hash}0`, '']},
    listener: text,
  },
  'role': {
    inherits: {good: ['other', ['other']], bad: [[], '', {}]},
    allow: rules,
    deny: rules,
  },
  'allow-rule': rule,
  'deny-rule': {...rule, hidden: {good: [true, false], bad: ['true', 1, {}]}},
  'budget': {
    ...selectors,
    for: {
      good: ['everyone', {team: 'testers'}],
      bad: ['nobody', {}, [], {agent: 'a', team: 'testers'}]
    },
    limit,
    zone,
    then: word('deny'),
  },
  'scope': {
    agent: {good: ['a'], bad: ['', {}, []]},
    role: {good: ['r'], bad: ['', {}, []]},
    team: {good: ['testers'], bad: ['', {}, []]},
    each: word('agent', 'team'),
  },
  'price': {
    ...selectors,
    cost: {
      good: ['0.005 USD', '0 EUR', '12 USD'],
      bad: [1, '1', 'USD', '1 usd', '-1 USD', '01 USD', '1. USD', '']
    },
  },
  'when': {time: {good: [{days: ['mon-fri', 'sun']}], bad: [{}, 'mon', [], {zone: 'UTC'}]}},
  'value-tests': {...tests, default: {good: ['x', 1, true], bad: [[], {}, null], with: {is: 'x'}}},
  'tests': tests,
  'time': {
    days: {
      good: ['mon', 'mon-fri', 'sat-sun', ['sat', 'sun']],
      bad: ['monday', 'Mon', 'mon-', '', []]
    },
    hours: {
      good: ['09:00-18:00', '22:00-06:00', '00:00-24:00'],
      bad: ['9-18', '09:00', '25:00-26:00', '09:60-10:00', '24:00-01:00', '']
    },
    zone: {...zone, with: {days: 'mon'}},
  },
};

// What more than one key decides, as [context, object, whether it is good].
const together = [
  ['allow-rule', {tools: 'a', http: 'GET /'}, false],
  ['price', {tools: 'a', prompts: 'b'}, false],
  ['budget', {resources: 'a', methods: 'b'}, false],
  ['allow-rule', {except: 'a'}, false],
  ['allow-rule', {hidden: true}, false],
  ['allow-rule', {upstream: undefined}, false],
  ['price', {upstream: undefined}, false],
  ['price', {cost: undefined}, false],
  ['price', {cost: {from: 'args.amount'}}, false],
  ['budget', {upstream: undefined}, true],
  ['budget', {upstream: undefined, tools: 'a'}, false],
  [
    'budget',
    {for: undefined
    },
    false
  ],
  ['budget', {limit: undefined}, false],
  ['budget', {then: 'ask'}, false],
  ['policy', {mode: 'report'}, false],
  ['agent', {owner: undefined}, false],
  ['agent', {purpose: undefined}, false],
  ['agent', {team: undefined}, false],
  ['value-tests', {default: 1}, false],
  ['value-tests', {min: 0, max: 100, default: 0}, true],
  ['when', {'args.a.b.0': 1, 'args.lines.*.sku': 'x', 'args."a.b"': 'x', 'query.x': 'y'}, true],
  ['when', {'args': 1}, false],
  ['when', {'args.': 1}, false],
  ['when', {'args.a..b': 1}, false],
  ['when', {'args.a."b': 1}, false],
  ['when', {'cookie.x': 'y'}, false],
  ['when', {'model': 'x'}, false],
  ['when', {'query.x': true}, false],
  ['when', {'header.x': [true]}, false],
  ['allow-rule', {tools: 'a', when: {'args.x': 1, 'header.x': 'y'}}, true],
  ['allow-rule', {tools: 'a', when: {'query.x': 'y'}}, false],
  ['deny-rule', {prompts: 'a', when: {'args.x': 1}}, false],
  ['allow-rule', {resources: 'a', when: {'header.x': 'y', time: {hours: '09:00-18:00'}}}, true],
  ['allow-rule', {http: 'POST /a', when: {'args.x': 1, 'query.x': 'y', 'header.x': 'z'}}, true],
];

// ---- asking both

// What `reeve check` says about each of the policies: its errors.
async function parserErrors(folder, policies) {
  if (policies.length === 0) return [];
  const paths = policies.map((policy, index) => {
    const path = join(folder, `${index}.yaml`);
    writeFileSync(path, JSON.stringify(policy));  // JSON is YAML
    return path;
  });
  const result = await reeve('check', '--json', ...paths);
  const errors = JSON.parse(result.out).diagnostics.filter((each) => each.severity === 'error');
  return paths.map(
      (path) => errors.filter((each) => each.file === path).map((each) => each.message));
}

const objectOf = (context) => context === 'policy' ? schema : schema.$defs[context];

// Every object of the schema, with the name that it has in `contexts`.
function schemaObjects() {
  const found = new Map();
  const walk = (node, name) => {
    if (Array.isArray(node)) return node.forEach((each) => walk(each, name));
    if (node === null || typeof node !== 'object') return;
    if (node.additionalProperties === false)
      found.set(found.has(name) ? `${name}, inner` : name, node);
    for (const [key, value] of Object.entries(node))
      if (key !== '$defs') walk(value, name);
  };
  walk(schema, 'policy');
  for (const [name, node] of Object.entries(schema.$defs)) walk(node, name);
  return found;
}

// ---- the tests

scenario('every object of the schema is tried, and every key of it says what it is', () => {
  const found = schemaObjects();
  assert.deepEqual([...found.keys()].sort(), Object.keys(contexts).sort());
  for (const [name, node] of found) {
    assert.deepEqual(
        Object.keys(node.properties).sort(), Object.keys(forms[name]).sort(), `keys of ${name}`);
    for (const [key, property] of Object.entries({...node.properties, ...node.patternProperties})) {
      assert.match(property.description ?? '', /^[A-Z].*\.$/, `${name}.${key} has a description`);
      assert.ok(property.description.length <= 100, `${name}.${key} is described in one line`);
    }
  }
});

scenario('the parser takes the keys of the schema and no others', async (s) => {
  const folder = s.folder();
  for (const [name, place] of Object.entries(contexts)) {
    const madeUp = place({qqqqqqqq: 1});
    assert.ok(!validate(madeUp), `the schema takes a made-up key in ${name}`);
    const said = (await parserErrors(folder, [madeUp]))[0].join('\n');
    if (name === 'when') {
      assert.match(said, /`qqqqqqqq`; it is one of args.NAME, query.NAME, header.NAME, time$/);
      continue;
    }
    const keys = /unknown key `qqqqqqqq` in this [\w ]+; it takes (.*)/.exec(said)?.[1].split(', ');
    assert.ok(keys, `the parser lists its keys of ${name}: ${said}`);
    const inSchema = Object.keys(objectOf(name).properties);
    const alone = inSchema.filter((key) => !keys.includes(key));
    assert.deepEqual(alone, [], `keys that only the schema has in ${name}`);
    const others = keys.filter((key) => !inSchema.includes(key));
    const refusals = await parserErrors(folder, others.map((key) => place({[key]: true})));
    for (const [index, key] of others.entries()) {
      assert.match(
          refusals[index].join('\n'), /not yet supported|`deny` rules|stands beside/,
          `${key} is missing in the schema's ${name}`);
    }
  }
});

scenario('what is not there yet is refused by both', async (s) => {
  const source = readFileSync(join(root, 'policy/parse_fields.cc'), 'utf8');
  const table = /kNotYet\[\] = \{(.*?)\n\};/s.exec(source)[1];
  const entries = [...table.matchAll(/\{"(\w+)",\s*"(\w+)"\}/g)];
  assert.equal(entries.length, table.split('{').length - 1, 'all of the table is read');
  const also = {rule: ['allow-rule', 'deny-rule'], test: ['value-tests', 'tests']};
  const tried = entries.flatMap(
      ([, where, key]) => (also[where] ?? [where]).map((name) => [name, {[key]: 'x'}]));
  const policies = tried.map(([name, object]) => contexts[name](object));
  const refusals = await parserErrors(s.folder(), policies);
  for (const [index, [name, object]] of tried.entries()) {
    const what = `${JSON.stringify(object)} in ${name}`;
    assert.match(refusals[index].join('\n'), /not yet supported/, what);
    assert.ok(!validate(policies[index]), `the schema takes ${what}`);
  }
});

scenario('schema and parser agree about the form of every value', async (s) => {
  const tried = [...together];
  for (const [name, keys] of Object.entries(forms)) {
    for (const [key, form] of Object.entries(keys)) {
      assert.ok(form.good.length > 0 && form.bad.length > 0);
      for (const value of form.good) tried.push([name, {...form.with, [key]: value}, true]);
      for (const value of form.bad) tried.push([name, {...form.with, [key]: value}, false]);
    }
  }
  const written = ([name, object]) => JSON.parse(JSON.stringify(contexts[name](object)));
  const policies = tried.map(written);
  const errors = await parserErrors(s.folder(), policies);
  for (const [index, [name, , good]] of tried.entries()) {
    const what = `${name}: ${JSON.stringify(policies[index])}`;
    assert.equal(errors[index].length === 0, good, `parser, ${what}: ${errors[index].join('; ')}`);
    const fits = validate(policies[index]);
    assert.equal(fits, good, `schema, ${what}: ${ajv.errorsText(validate.errors)}`);
  }
});

scenario('every good policy of the repository fits the schema', () => {
  const policies = readdirSync(join(root, 'examples'), {withFileTypes: true})
                       .filter((entry) => entry.isDirectory())
                       .map((entry) => join(root, 'examples', entry.name, 'policy.yaml'))
                       .map((path) => [path, readFileSync(path, 'utf8')]);
  assert.ok(policies.length > 1);
  const reference = readFileSync(join(root, 'policy/README.md'), 'utf8');
  const blocks = [...reference.matchAll(/```yaml\n(.*?)```/gs)].map(([, block]) => block);
  const examples = blocks.filter((block) => /^(version|agents|roles):/m.test(block));
  assert.ok(examples.length > 0);
  examples.forEach((block, index) => policies.push([`policy/README.md, policy ${index}`, block]));
  for (const [name, policy] of policies)
    assert.ok(validate(YAML.parse(policy)), `${name}: ${ajv.errorsText(validate.errors)}`);
});

scenario('policies with a key that is unknown or not there yet do not fit it', () => {
  const folder = join(root, 'tests/data/policies/bad');
  let tried = 0;
  for (const name of readdirSync(folder)) {
    const policy = readFileSync(join(folder, name), 'utf8');
    if (!/^# expect: .*(unknown key|not yet supported)/m.test(policy)) continue;
    assert.ok(!validate(YAML.parse(policy)), name);
    ++tried;
  }
  assert.ok(tried >= 15, `${tried} policies tried`);
});

scenario('an editor completes keys and words, and marks what is unknown', async (s) => {
  const folder = s.folder();
  const server = new LanguageServer();
  s.defer(() => server.stop());
  await server.start(folder);
  const modeline = `# yaml-language-server: $schema=${relative(folder, schemaPath)}\n`;
  const open = (name, policy) => server.open(join(folder, name), modeline + policy);

  const half = open('half.yaml', 'agents:\n  casey:\n    owner: dana@acme.example\n    purpo\n');
  assert.deepEqual(await server.complete(half, 4, 'purpo'), ['purpose']);
  const risk = open('risk.yaml', 'agents:\n  casey:\n    risk: \n');
  assert.deepEqual((await server.complete(risk, 3, '')).sort(), ['high', 'limited', 'minimal']);
  const test = open('test.yaml', 'roles:\n  r:\n    allow:\n      - upstream: crm\n        unti\n');
  assert.deepEqual(await server.complete(test, 5, 'unti'), ['until']);

  const entry =
      'agents:\n  casey:\n    owner: dana@acme.example\n    purpose: Answers\n    team: support\n';
  const unknown = open('unknown.yaml', `${entry}    probation: true\n    colour: blue\n`);
  const marks =
      (await server.diagnose(unknown, 2)).map((each) => [each.range.start.line, each.message]);
  assert.deepEqual(marks.map(([line]) => line), [6, 7], JSON.stringify(marks));
  assert.match(marks[0][1], /probation/);
  assert.match(marks[1][1], /colour/);
  const amount = open('amount.yaml', `${entry}    budget: 20 USD per fortnight\n`);
  assert.match((await server.diagnose(amount, 1))[0].message, /20 USD per day/);
  const good = open('good.yaml', `${entry}    budget: 20 USD per day\n`);
  assert.deepEqual(await server.diagnose(good, 0), []);
  const hover = await server.hover(good, 3, 6);
  assert.match(hover, /person who answers/);
});
