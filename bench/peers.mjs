// The peers of bench/policy: Cedar (wasm) and Casbin decide the calls that policy_bench wrote.
//
//   peers.mjs WORKLOAD.json SECONDS
//
// Prints one JSON object: for each peer the median of a decision, how many were timed, and how many
// answers differ from reeve's. Cedar gets every policy parsed beforehand, once all of them and once
// only those of the agent's roles (a slice by hand, cached for each agent); Casbin gets its RBAC
// model with keyMatch, and regexMatch for what keyMatch cannot say. Conditions on arguments are
// Cedar's only: Casbin's model has no place for them that a user would recognise.
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {fileURLToPath} from 'node:url';

const require = createRequire(fileURLToPath(new URL('../tests/package.json', import.meta.url)));
const cedar = require('@cedar-policy/cedar-wasm/nodejs');
const casbin = require('casbin');

const workload = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const seconds = Number(process.argv[3] ?? 1);

function median(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

// Decides calls for about `seconds`; the first is not timed. `decide` is told the call's index.
function measure(prepare, decide) {
  const samples = [];
  let different = 0;
  const end = performance.now() + seconds * 1000;
  for (let i = 0; i < workload.requests.length; i++) {
    prepare(i);
    const begin = process.hrtime.bigint();
    const allowed = decide(i);
    const spent = Number(process.hrtime.bigint() - begin);
    if (i > 0) samples.push(spent);
    if (allowed !== workload.requests[i].allow) different++;
    if (performance.now() > end && samples.length >= 5) break;
  }
  return {p50: median(samples), decisions: samples.length + 1, different};
}

function cedarPolicy(rule) {
  const action = rule.method === '*' ?
      'action in [Action::"GET", Action::"POST", Action::"DELETE"]' :
      `action == Action::"${rule.method}"`;
  const condition = workload.conditions ?
      ` && context.amount <= ${rule.max} && ["USD", "EUR"].contains(context.currency)` :
      '';
  return `${rule.deny ? 'forbid' : 'permit'}(principal in Role::"r${rule.role}", ${
      action}, resource)
 when { ${rule.cedar}${condition} };`;
}

function parsePolicies(id, rules) {
  const staticPolicies = Object.fromEntries(rules.map((rule, i) => [`p${i}`, cedarPolicy(rule)]));
  const answer = cedar.preparsePolicySet(id, {staticPolicies});
  if (answer.type !== 'success') throw new Error(`cedar: ${JSON.stringify(answer.errors[0])}`);
}

function cedarCall(request, policySet) {
  const context = request.method === 'tool' ?
      {name: request.target} :
      Object.fromEntries(
          request.target.slice(1).split('/').map((segment, i) => [`s${i}`, segment]),
      );
  if (workload.conditions) {
    context.amount = request.amount;
    context.currency = request.currency;
  }
  const principal = {type: 'Agent', id: `a${request.agent}`};
  const parents = workload.agents[request.agent].map((role) => ({type: 'Role', id: `r${role}`}));
  return {
    principal,
    action: {type: 'Action', id: request.method},
    resource: {type: 'Target', id: 'target'},
    context,
    preparsedPolicySetId: policySet,
    entities: [{uid: principal, attrs: {}, parents}],
    validateRequest: false,
  };
}

function decideCedar(call) {
  const answer = cedar.statefulIsAuthorized(call);
  if (answer.type !== 'success') throw new Error(`cedar: ${JSON.stringify(answer.errors[0])}`);
  const {decision, diagnostics} = answer.response;
  if (diagnostics.errors.length > 0) throw new Error(JSON.stringify(diagnostics.errors[0]));
  return decision === 'allow';
}

function measureCedar(sliced) {
  const parsed = new Set();
  if (!sliced) parsePolicies('all', workload.rules);
  let call;
  return measure(
      (i) => {
        const request = workload.requests[i];
        const id = sliced ? `a${request.agent}` : 'all';
        if (sliced && !parsed.has(id)) {
          const roles = new Set(workload.agents[request.agent]);
          parsePolicies(
              id,
              workload.rules.filter((rule) => roles.has(rule.role)),
          );
          parsed.add(id);
        }
        call = cedarCall(request, id);
      },
      () => decideCedar(call),
  );
}

const kCasbinModel = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, how, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && (r.act == p.act || p.act == "*") && ((p.how == "key" && keyMatch(r.obj, p.obj)) || (p.how == "regex" && regexMatch(r.obj, p.obj)))
`;

async function measureCasbin() {
  const enforcer = await casbin.newEnforcer(casbin.newModelFromString(kCasbinModel));
  await enforcer.addPolicies(
      // Rules that come out alike are one row.
      [...new Map(workload.rules.map((rule) => {
         const row = [
           `r${rule.role}`,
           rule.key ?? `^${rule.regex}$`,
           rule.method,
           rule.key === null ? 'regex' : 'key',
           rule.deny ? 'deny' : 'allow',
         ];
         return [row.join('\n'), row];
       })).values()],
  );
  await enforcer.addGroupingPolicies(
      workload.agents.flatMap((roles, agent) => roles.map((role) => [`a${agent}`, `r${role}`])),
  );
  return measure(
      () => {},
      (i) => {
        const {agent, target, method} = workload.requests[i];
        return enforcer.enforceSync(`a${agent}`, target, method);
      },
  );
}

const results = {
  cedar_all: measureCedar(false),
  cedar_sliced: measureCedar(true)
};
if (!workload.conditions) results.casbin = await measureCasbin();
console.log(JSON.stringify(results));
