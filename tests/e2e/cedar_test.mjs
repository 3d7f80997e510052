// Cedar, which others wrote and proved, decides as reeve does: generated policies of the part of
// the language that both can say, in both languages, and calls of all kinds. Cedar answers each;
// its answers become the expectations of a tests.yaml, and the binary runs them as anyone's tests.
//
// REEVE_SEED repeats a run and REEVE_ROUNDS (policies) shortens or lengthens it.
import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';

import {makeCall, makePolicy, Random} from './cedar_cases.mjs';
import {assert, long, reeve, sanitized, scenario} from './lib.mjs';

const cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs');

const firstSeed = Number(process.env.REEVE_SEED ?? 20_261_122);
const callsPerPolicy = 200;
const policies = Number(process.env.REEVE_ROUNDS ?? (long ? 2500 : sanitized ? 20 : 100));

function parsed(id, policies) {
  const answer = cedar.preparsePolicySet(id, {staticPolicies: policies});
  assert.equal(answer.type, 'success', JSON.stringify([answer.errors, policies], null, 1));
}

// What Cedar says; no policy may have stumbled, for then it would count as one that does not match.
function decided(request, preparsedPolicySetId) {
  const answer = cedar.statefulIsAuthorized({...request, preparsedPolicySetId});
  assert.equal(answer.type, 'success', JSON.stringify(answer.errors));
  assert.deepEqual(answer.response.diagnostics.errors, []);
  return {decision: answer.response.decision, reasons: answer.response.diagnostics.reason};
}

// What Cedar's answer means here. The rule that is named is the first in the files of those that
// Cedar gives as its reasons; an agent's state is no rule.
function expectation(policy, agent, {decision, reasons}) {
  if (!(agent in policy.agents)) {
    assert.equal(decision, 'deny');
    return {expect: 'unknown-agent'};
  }
  const byState = reasons.some((id) => id.startsWith('state-'));
  const rule = byState ? undefined : policy.order.find((id) => reasons.includes(id));
  return {expect: decision, ...(rule && {rule})};
}

// A policy with its calls, and Cedar's answers as what is expected. `change` may spoil what Cedar
// is given.
function generate(seed, change = (cedarPolicies) => cedarPolicies) {
  const random = new Random(seed);
  const policy = makePolicy(random);
  parsed('generated', change(policy.cedar));
  const cases = Array.from({length: callsPerPolicy}, (_, index) => {
    const {agent, call, request} = makeCall(random, policy);
    const answer = decided(request, 'generated');
    return {name: `case ${index}`, agent, call, ...expectation(policy, agent, answer)};
  });
  return {seed, policy, cases};
}

// Writes a policy and its cases, a case a line; gives the path of the tests.
function write(folder, {policy, cases}) {
  mkdirSync(join(folder, 'policy'), {recursive: true});
  for (const [name, text] of Object.entries(policy.files))
    writeFileSync(join(folder, 'policy', name), text);
  const file = join(folder, 'tests.yaml');
  const lines = cases.map((each) => `  - ${JSON.stringify(each)}\n`);
  writeFileSync(file, `policy: policy\ncases:\n${lines.join('')}`);
  return file;
}

// All that one needs to see why a case differs.
function shown({seed, policy, cases}, message) {
  const line = Number(/tests\.yaml:(\d+):/.exec(message)?.[1] ?? 0);
  return [
    message, `REEVE_SEED=${seed} REEVE_ROUNDS=1`, JSON.stringify(cases[line - 3]),
    ...Object.values(policy.files), ...Object.entries(policy.cedar).map((each) => each.join(': '))
  ].join('\n');
}

const count = (list, condition) => list.filter(condition).length;

scenario('reeve decides as Cedar does, and names the rule', async (s) => {
  console.log(`REEVE_SEED=${firstSeed} REEVE_ROUNDS=${policies}, ${callsPerPolicy} calls each`);
  const seen = {cases: 0, allowed: 0, refusedByRule: 0, refusedOtherwise: 0, unknown: 0};
  // As many at once as a command line takes.
  for (let first = 0; first < policies; first += 100) {
    const folder = s.folder();
    const files = [];
    let cases = 0;
    for (let index = 0; index < Math.min(100, policies - first); ++index) {
      const generated = generate(firstSeed + first + index);
      files.push(write(join(folder, String(index)), generated));
      cases += generated.cases.length;
      seen.allowed += count(generated.cases, ({expect}) => expect === 'allow');
      seen.unknown += count(generated.cases, ({expect}) => expect === 'unknown-agent');
      const refused = generated.cases.filter(({expect}) => expect === 'deny');
      seen.refusedByRule += count(refused, ({rule}) => rule);
      seen.refusedOtherwise += count(refused, ({rule}) => !rule);
    }
    const {code, out, err} = await reeve('test', ...files);
    if (code !== 0 || out !== `${cases} passed, 0 failed\n`) {
      const message = `${out.split('\n')[0]}\n${err.slice(0, 2000)}`;
      const index = Number(/\/(\d+)\/(?:tests|policy)/.exec(message)?.[1] ?? 0);
      assert.fail(shown(generate(firstSeed + first + index), message));
    }
    seen.cases += cases;
    rmSync(folder, {recursive: true});
  }
  assert.equal(seen.cases, policies * callsPerPolicy);
  console.log(JSON.stringify(seen));
  if (policies < 20) return;
  // Generated cases show something where each answer is frequent.
  assert.ok(seen.allowed > seen.cases / 10, 'many are allowed');
  assert.ok(seen.refusedByRule > seen.cases / 10, 'many are refused by a rule');
  assert.ok(seen.refusedOtherwise > seen.cases / 10, 'many are refused by default');
}, {timeout: 840_000});

// The cases that `reeve test` finds different, by their place in the list.
async function failing(file) {
  const {code, out} = await reeve('test', file);
  const failed = [...out.matchAll(/tests\.yaml:(\d+):5: FAILED: /g)].map(([, line]) => line - 3);
  assert.equal(
      out.split('\n').at(-2), `${callsPerPolicy - failed.length} passed, ${failed.length} failed`);
  assert.equal(code, failed.length === 0 ? 0 : 1);
  return failed;
}

scenario('an answer that differs is found', async (s) => {
  const seed = 20_261_122;  // of a policy in which several rules decide
  const good = generate(seed);
  assert.deepEqual(await failing(write(s.folder(), good)), []);
  const flip = (expect) => expect === 'allow' ? 'deny' : 'allow';
  const flipped =
      good.cases.map((each, index) => index === 17 ? {...each, expect: flip(each.expect)} : each);
  assert.deepEqual(await failing(write(s.folder(), {...good, cases: flipped})), [17]);

  // Nor does reeve agree with a Cedar that lacks a rule which decided something.
  let missed = 0;
  for (const id of new Set(good.cases.map(({rule}) => rule).filter(Boolean))) {
    const less = generate(seed, ({[id]: left, ...others}) => others);
    const different = [...good.cases.keys()].filter((index) => {
      const {expect, rule} = less.cases[index];
      return expect !== good.cases[index].expect || (rule && rule !== good.cases[index].rule);
    });
    assert.deepEqual(await failing(write(s.folder(), less)), different, `without ${id}`);
    missed += different.length > 0;
  }
  assert.ok(missed > 1);
});

// Where both are meant to differ: Cedar skips a policy that stumbles, a `forbid` too, and looks at
// no more than the attributes that a policy names; what puts reeve in doubt it refuses. `says` are
// the answers of Cedar and of reeve; the rules are a `permit` or `allow` of everything, and these.
const forbid = (condition) => `forbid(principal, action, resource) when { ${condition} };`;
const large = {
  cedar: forbid('context.args.amount > 100'),
  deny: {'args.amount': {above: 100}}
};
const guarded = {
  cedar: forbid('context.args has amount && context.args.amount > 100'),
  deny: {'args.amount': {present: true, above: 100}}
};
const foreign = {
  cedar: forbid('context.args.currency == "XXX"'),
  deny: {'args.currency': 'XXX'}
};
const tagged = {
  cedar: forbid('context.args.tags.containsAny(["secret"])'),
  deny: {'args.tags': {any: 'secret'}}
};
const differences = [
  ['a value that the rule refuses', large, {amount: 250}, ['deny', 'deny']],
  ['a value that it does not', large, {amount: 50}, ['allow', 'allow']],
  ['an absent value', large, {}, ['allow', 'deny']],
  ['an absent value, where the rule asks for presence', guarded, {}, ['allow', 'allow']],
  ['a number in quotes', large, {amount: '250'}, ['allow', 'deny']],
  [
    'a number in quotes, where the rule asks for presence', guarded, {amount: '250'},
    ['allow', 'deny']
  ],
  ['a list where one value is meant', large, {amount: [50, 250]}, ['allow', 'deny']],
  ['a list with what the rule refuses', foreign, {currency: ['USD', 'XXX']}, ['allow', 'deny']],
  ['an empty list', tagged, {tags: []}, ['allow', 'deny']],
  ['a fraction', large, {amount: 100.5}, ['no answer', 'deny']],
  ['null', large, {amount: null}, ['no answer', 'deny']],
  ['a key that only case tells apart', large, {amount: 50, Amount: 250}, ['allow', 'malformed']],
];

scenario('where Cedar and reeve differ, reeve refuses', async (s) => {
  const cedarSays = ({cedar: text}, args) => {
    parsed('difference', {all: 'permit(principal, action, resource);', rule: text});
    const answer = cedar.statefulIsAuthorized({
      principal: {type: 'Agent', id: 'a'},
      action: {type: 'Action', id: 'tools/call'},
      resource: {type: 'Target', id: 't'},
      context: {args},
      entities: [],
      validateRequest: false,
      preparsedPolicySetId: 'difference'
    });
    return answer.type === 'success' ? answer.response.decision : 'no answer';
  };
  const agent = {owner: 'dana@acme.example', purpose: 'Testing', team: 'testers', roles: ['r']};
  for (const [name, rule, args, says] of differences) {
    assert.equal(cedarSays(rule, args), says[0], `Cedar about ${name}`);
    const role = {allow: {upstream: 'u'}, deny: {upstream: 'u', when: rule.deny}};
    const policy = {files: {'policy.yaml': JSON.stringify({agents: {a: agent}, roles: {r: role}})}};
    const call = {upstream: 'u', tool: 't', args};
    const file = write(s.folder(), {policy, cases: [{name, agent: 'a', call, expect: says[1]}]});
    assert.equal((await reeve('test', file)).out, '1 passed, 0 failed\n', name);
  }
});
