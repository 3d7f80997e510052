// Lines of the record as rows of a table, and one of them in full.
import {get, query} from './api.js';
import {fill, h, openDialog} from './dom.js';
import {time} from './format.js';

const tones = {
  allow: 'good',
  approved: 'good',
  released: 'good',
  ok: 'good',
  deny: 'bad',
  malformed: 'bad',
  'unknown-agent': 'bad',
  denied: 'bad',
  error: 'bad',
  spent: 'bad',
  stopped: 'bad',
  suspended: 'bad',
  retired: 'bad',
  ask: 'wait',
  asked: 'wait',
  warned: 'wait',
  expired: 'wait',
  voided: 'wait',
  pending: 'wait',
  active: 'good'
};
export const badge = (word) => h('span', {class: `badge ${tones[word] ?? 'plain'}`}, word);

export const headings = ['Time', 'Agent', 'Decision', 'Call', 'Why'];

// What was called: `crm · tools/call` and the target below it.
export function callOf(line) {
  return [
    h('span', {class: 'target'}, line.target ?? line.action ?? ''),
    h('span', {class: 'sub'},
      [line.upstream, line.action === line.target ? null : line.action].filter(Boolean).join(' · '))
  ];
}

export function whyOf(line) {
  const rule = line.rule ?? line.reason ?? line.result ?? '';
  const more = line.because ?? line.error ?? line.why ??
      (line.budget ? `budget ${line.budget}` :
           line.limit ? `limit ${line.limit}` :
                        '');
  return [
    h('span', {class: 'rule'}, rule || (line.status === undefined ? '' : `status ${line.status}`)),
    more ? h('span', {class: 'sub'}, more) : null
  ];
}

const verdictOf = (line) => line.decision ?? line.verdict ?? line.state ?? line.result ?? '';

export function row(line) {
  const verdict = verdictOf(line);
  return h(
      'tr', {'data-seq': line.seq},
      h('td', {class: 'when'},
        h('button', {
          type: 'button',
          class: 'link',
          title: `${line.time} · the whole line`,
          'aria-label': `${time(line.time)}, details`,
          onclick: () => details(line)
        },
          time(line.time))),
      h('td', {class: 'agent'}, line.agent ?? '—',
        line.kind === 'decision' ? null : h('span', {class: 'sub'}, line.kind)),
      h('td', {class: 'verdict'}, verdict ? badge(verdict) : '',
        line.mode === 'report' ? h('span', {class: 'sub'}, 'report mode') : null),
      h('td', {class: 'call'}, callOf(line)), h('td', {class: 'why'}, whyOf(line)));
}

export function table(caption, body) {
  return h(
      'div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption},
      h('table', {class: 'lines'}, h('caption', {class: 'hidden'}, caption),
        h('thead', {}, h('tr', {}, headings.map((each) => h('th', {scope: 'col'}, each)))), body));
}

const asText = (value) => typeof value === 'object' ? JSON.stringify(value) : String(value);
export function members(object) {
  return h(
      'dl', {class: 'members'},
      Object.entries(object).map(
          ([name, value]) => [h('dt', {}, name), h('dd', {}, asText(value))]));
}

// Both lines of the call, where it is one.
function details(line) {
  const rest = h('div', {});
  openDialog(
      [line.agent, line.target ?? line.action ?? line.kind].filter(Boolean).join(' · '),
      h('p', {class: 'links'},
        line.agent ? h('a', {href: `#record${query({agent: line.agent})}`, onclick: shut},
                       'All of this agent') :
                     null,
        line.rule ? h('a', {href: `#record${query({rule: line.rule})}`, onclick: shut},
                      'All by this rule') :
                    null,
        line.approval ? h('a', {href: `#approvals`, onclick: shut}, 'Approvals') : null),
      h('h3', {}, line.kind), members(line), rest);
  if (!line.call || line.kind !== 'decision') return;
  get(`/v1/audit${query({call: line.call, kind: 'outcome', limit: 1})}`).then(({lines}) => {
    if (lines.length > 0) fill(rest, h('h3', {}, 'outcome'), members(lines[0]));
  }, () => {});
}
const shut = () => document.getElementById('dialog').close();
