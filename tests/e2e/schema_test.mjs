// policy/schema/policy.schema.json and the parser are of one mind: what one takes, so does the
// other, key by key and form by form; and an editor that is given the schema completes and marks.
//
// Each object of the schema has a place in `contexts`: a policy that is good but for what is put
// there; schema_forms.mjs says what may be. The parser is asked by `reeve check`, and its lists of
// keys are read from its messages.
// What only names can tell (an unknown role, two agents with one token) is not the schema's.
import Ajv from 'ajv/dist/2020.js';
import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join, relative} from 'node:path';
import YAML from 'yaml';

import {LanguageServer} from './language_server.mjs';
import {assert, reeve, root, scenario} from './lib.mjs';
import {agent, byTokens, forms} from './schema_forms.mjs';

const schemaPath = join(root, 'policy/schema/policy.schema.json');
const schema = JSON.parse(readFileSync(schemaPath, 'utf8'));
const ajv = new Ajv({allErrors: true, strictTypes: false});
ajv.addVocabulary(['patternErrorMessage']);
const validate = ajv.compile(schema);

// ---- policies that are good but for what is put in one place

// Names that rules, budgets and guards may use.
const named = {
  approvers: {leads: {members: ['lee@acme.example', 'sam@acme.example']}},
  guards: {pii: {patterns: 'email'}}
};
const withAgent = (more) => ({agents: {a: {...agent, ...more}}, roles: {r: {}}});
const withRole = (role) => ({...named, agents: {a: agent}, roles: {r: role, other: {}}});
const withRule = (effect, more) => withRole({[effect]: [{upstream: 'u', ...more}]});
const withBudget = (more) => ({
  ...withRole({}),
  budgets: {b: {for: 'everyone', limit: '1 USD per day', upstream: 'u', ...more}}
});
const withPrice = (more) => ({...withRole({}), prices: [{upstream: 'u', cost: '1 USD', ...more}]});
const withGuard = (more) => ({...withRole({}), guards: {g: {patterns: ['email'], ...more}}});
const withServer = (more) => ({...withRole({}), servers: {u: {pin: 'u.tools.lock', ...more}}});
const withWhen = (when) => withRule('allow', {when});
const contexts = {
  'policy': (more) => ({agents: {a: agent}, roles: {r: {}}, ...more}),
  'agent': withAgent,
  'probation': (more) =>
      withAgent({probation: {until: '2027-03-31', limits: '1 call per minute', ...more}}),
  'identity': (proof) => withAgent({identity: [proof]}),
  'jwt': (more) =>
      withAgent({identity: [{jwt: {issuer: 'i', audience: 'a', subject: 's', ...more}}]}),
  'role': withRole,
  'allow-rule': (more) => withRule('allow', more),
  'ask-rule': (more) => withRule('ask', {approvers: 'leads', ...more}),
  'deny-rule': (more) => withRule('deny', more),
  'approvers': (more) =>
      ({...withRole({}), approvers: {leads: {members: ['lee', 'sam'], ...more}}}),
  'budget': withBudget,
  'scope': (scope) => withBudget({for: scope
  }),
  'price': withPrice,
  'cost': (more) => withPrice({cost: {from: 'args.amount', max: '500 USD', ...more}}),
  'guard': withGuard,
  'own-pattern': (more) =>
      withGuard({patterns: [{name: 'employee-id', regex: 'E[0-9]+', ...more}]}),
  'server': withServer,
  'dispatch': (more) => withServer({dispatch: {invoke: {tool: 'args.name', ...more}}}),
  'when': withWhen,
  'value-tests': (tests) => withWhen({'args.x': tests}),
  'tests': (tests) => withWhen({'args.x': {any: tests}}),
  'time': (time) => withWhen({time}),
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
  ['budget', {then: 'ask', approvers: 'leads', within: '5m'}, true],
  ['budget', {then: 'deny', approvers: 'leads'}, false],
  ['budget', {within: '5m'}, false],
  ['budget', {upstream: undefined, connect: 'a:1'}, true],
  ['guard', {then: 'ask', approvers: 'leads', within: '5m'}, true],
  ['guard', {then: 'deny', within: '5m'}, false],
  ['guard', {patterns: undefined}, false],
  ['guard', {patterns: undefined, fields: 'a'}, true],
  ['ask-rule', {approvers: undefined}, false],
  ['ask-rule', {hidden: true}, false],
  ['allow-rule', {approvers: 'leads'}, false],
  ['deny-rule', {within: '5m'}, false],
  ['allow-rule', {connect: 'a:1'}, false],
  ['deny-rule', {upstream: undefined, connect: 'a:1', http: 'GET /'}, false],
  ['deny-rule', {upstream: undefined, connect: 'a:*', except: 'a:1'}, true],
  ['price', {upstream: undefined, connect: 'a:1'}, true],
  ['price', {...byTokens, models: 'm'}, true],
  ['price', {...byTokens, cost: '1 USD'}, false],
  ['price', {...byTokens, tools: 'x'}, false],
  ['price', {...byTokens, output: undefined}, false],
  ['price', {...byTokens, input: undefined, context: 1}, false],
  ['price', {tools: 'x', cost: {from: 'result.cost', reserve: '1 USD'}}, true],
  ['price', {resources: 'x', cost: {from: 'result.cost', reserve: '1 USD'}}, true],
  ['price', {resources: 'x', cost: {from: 'args.a', max: '1 USD'}}, false],
  [
    'price', {upstream: undefined, connect: 'a:1', cost: {from: 'result.a', reserve: '1 USD'}},
    false
  ],
  ['cost', {reserve: '1 USD'}, false],
  ['cost', {from: undefined}, false],
  ['cost', {from: 'result.cost'}, false],
  ['approvers', {members: undefined}, false],
  ['server', {pin: undefined}, true],
  ['server', {pin: undefined, on_drift: 'deny'}, false],
  ['probation', {until: undefined}, false],
  ['jwt', {subject: undefined}, false],
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
  ['when', {'model': 'x'}, true],
  ['allow-rule', {tools: 'a', when: {model: 'x'}}, false],
  ['allow-rule', {http: 'GET /', when: {model: 'x'}}, true],
  ['allow-rule', {models: 'a', when: {'model': 'x', 'args.a': 1, 'header.x': 'y'}}, true],
  ['deny-rule', {upstream: undefined, connect: 'a:1', when: {'header.x': 'y'}}, false],
  ['deny-rule', {upstream: undefined, connect: 'a:1', when: {time: {days: 'sun'}}}, true],
  ['budget', {tools: 'a', when: {'query.x': 'y'}}, false],
  ['price', {prompts: 'a', when: {'args.x': 1}}, false],
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
      const shared = schema.$defs[property.$ref?.split('/').at(-1)];
      const description = property.description ?? shared?.description ?? '';
      assert.match(description, /^[A-Z].*\.$/, `${name}.${key} has a description`);
      assert.ok(description.length <= 100, `${name}.${key} is described in one line`);
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
      assert.match(
          said, /`qqqqqqqq`; it is one of args.NAME, query.NAME, header.NAME, model, time$/);
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
          refusals[index].join('\n'), /`deny` rules|stands beside|without anything that asks/,
          `${key} is missing in the schema's ${name}`);
    }
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
  const examples = blocks.filter((block) => !/^cases:/m.test(block));
  assert.ok(examples.length >= 8);
  examples.forEach((block, index) => policies.push([`policy/README.md, policy ${index}`, block]));
  for (const [name, policy] of policies)
    assert.ok(validate(YAML.parse(policy)), `${name}: ${ajv.errorsText(validate.errors)}`);
});

// What no schema can tell: names that stand elsewhere, what two places say together, and what is
// wrong within a text of the right form. Files by the name of yaml_* are about the text itself.
const beyondForm = new RegExp([
  'unknown (role|agent|upstream|approvers|guard|time zone) ',
  'no agent is of team',
  'inheritance cycle',
  'proof of identity',
  'is given twice',
  'one currency$',
  'too many budgets',
  'members; name more',
  'valid RE2 expression',
  'can never match',
  'stands for whole segments',
  'zero-width',
  'is too large',
  'is above',
  'longer than',
  '`2026-02-30` is no day',
  'args.a.a.a.a',
  '`09:00-09:00`',
  'a directive',
  'to other readers of YAML',
  'tag `'
].join('|'));

scenario('what the parser refuses for its form does not fit the schema', () => {
  const folder = join(root, 'tests/data/policies/bad');
  let tried = 0;
  for (const name of readdirSync(folder)) {
    if (name.startsWith('yaml_')) continue;
    const policy = readFileSync(join(folder, name), 'utf8');
    const document = YAML.parseDocument(policy);
    const error = /^# expect: (.*)/.exec(policy)[1];
    if (document.errors.length > 0 || beyondForm.test(error)) continue;
    assert.ok(!validate(document.toJS()), `${name}: ${error}`);
    ++tried;
  }
  assert.ok(tried >= 200, `${tried} policies tried`);
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
  const ask = open('ask.yaml', 'roles:\n  r:\n    ask:\n      - upstream: crm\n        approv\n');
  assert.deepEqual(await server.complete(ask, 5, 'approv'), ['approvers']);

  const entry =
      'agents:\n  casey:\n    owner: dana@acme.example\n    purpose: Answers\n    team: support\n';
  const unknown = open('unknown.yaml', `${entry}    probaton: {}\n    colour: blue\n`);
  const marks =
      (await server.diagnose(unknown, 2)).map((each) => [each.range.start.line, each.message]);
  assert.deepEqual(marks.map(([line]) => line), [6, 7], JSON.stringify(marks));
  assert.match(marks[0][1], /probaton/);
  assert.match(marks[1][1], /colour/);
  const amount = open('amount.yaml', `${entry}    budget: 20 USD per fortnight\n`);
  assert.match((await server.diagnose(amount, 1))[0].message, /20 USD per day/);
  const limits = open('limits.yaml', 'roles:\n  r:\n    limits: [60 calls per month]\n');
  assert.match((await server.diagnose(limits, 1))[0].message, /60 calls per minute/);
  const tunnel = open('tunnel.yaml', 'roles:\n  r: {allow: {upstream: u, connect: \"a:1\"}}\n');
  await server.diagnose(tunnel, 1);
  const good = open('good.yaml', `${entry}    budget: 20 USD per day\n`);
  assert.deepEqual(await server.diagnose(good, 0), []);
  const hover = await server.hover(good, 3, 6);
  assert.match(hover, /person who answers/);
});
