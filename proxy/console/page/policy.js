// The policy in force, and how often its rules have decided.
import {get, query} from './api.js';
import {bar} from './charts.js';
import {fill, h, text} from './dom.js';
import {ago, count, place, time} from './format.js';
import {badge} from './lines.js';
import {store} from './store.js';

export function policyView(root) {
  const facts = h('dl', {class: 'facts wide'}), body = h('tbody', {}),
        note = h('p', {class: 'sub'});
  const since = h('select', {id: 'policy-since', onchange: () => load()}, [
    ['1h', 'the last hour'], ['24h', 'the last day'], ['7d', 'the last week']
  ].map(([value, words]) => h('option', {value, selected: value === '24h'}, words)));
  fill(
      root, h('h2', {}, 'Policy in force'), h('section', {class: 'card'}, facts),
      h('section', {class: 'card'},
        h('div', {class: 'card-head'}, h('h3', {}, 'Rules, in the order in which they decide'),
          h('div', {class: 'field inline'},
            h('label',
              {for: 'policy-since'
              },
              'Use in'),
            since)),
        note,
        h('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Rules'},
          h('table', {class: 'rules'},
            h('thead', {},
              h('tr', {},
                ['Effect', 'Rule', 'Selects', 'Because', 'Decided', 'Last'].map(
                    (each) => h('th', {scope: 'col'}, each)))),
            body))));
  let of = null;
  async function load() {
    try {
      const [{rules, mode}, use] =
          await Promise.all([get('/v1/rules'), get(`/v1/activity${query({since: since.value})}`)]);
      const uses = new Map(use.rules.map((each) => [each.rule, each]));
      const most = Math.max(1, ...use.rules.map((each) => each.count));
      text(
          note,
          `${count(use.by_default)} calls were refused because no rule allows them.${
              use.complete ? '' : ` The record was read back to ${time(use.from)}.`}${
              mode === 'report' ? ' The policy is in report mode: nothing is refused by it.' :
                                  ''}`);
      fill(body, rules.map((rule) => {
        const seen = uses.get(rule.rule);
        return h(
            'tr', {},
            h('td', {}, badge(rule.effect),
              rule.mode === 'report' ? h('span', {class: 'sub'}, 'report') : null),
            h('th', {scope: 'row'}, h('a', {href: `#record${query({rule: rule.rule})}`}, rule.rule),
              h('span', {class: 'sub'}, `${rule.role} · ${place(rule.at)}`)),
            h('td', {}, rule.upstream.join(', '), h('span', {class: 'sub'}, rule.selects)),
            h('td', {}, rule.because ?? '',
              rule.approvers ? h('span', {class: 'sub'}, `asks ${rule.approvers}`) : null),
            h('td', {class: 'number'},
              seen ?
                  [
                    count(seen.count), bar(seen.count, 0, most * 1.3, `${rule.rule}: ${seen.count}`)
                  ] :
                  h('span', {class: 'sub'}, 'never')),
            h('td', {}, seen ? ago(seen.last) : '—'));
      }));
    } catch (error) {
      text(note, error.message);
    }
  }
  function update() {
    const policy = store.policy;
    if (!policy || of === JSON.stringify(policy)) return;
    of = JSON.stringify(policy);
    const fact = (name, value) => [h('dt', {}, name), h('dd', {}, value)];
    fill(
        facts, fact('File', policy.file), fact('SHA-256', h('code', {}, policy.policy)),
        fact('Loaded', time(policy.loaded)),
        fact('Reloads', `${policy.reloads}, ${policy.failed_reloads} refused`),
        policy.last_error ? fact('Last error', h('span', {class: 'error'}, policy.last_error)) :
                            null);
    load();
  }
  return {update, end() {}};
}
