// The record, searched.
import {get, query} from './api.js';
import {fill, h, say, text} from './dom.js';
import {count} from './format.js';
import {row, table} from './lines.js';

const fields = [
  ['agent', 'Agent'], ['target', 'Tool, path or URI (* for any text)'], ['upstream', 'Upstream'],
  ['rule', 'Rule'], ['since', 'Since (2h, 7d, a day)'], ['until', 'Until'],
  ['text', 'Text in the line']
];
const kinds = [
  'decision', 'outcome', 'approval', 'budget', 'agent', 'admin', 'policy', 'pin', 'drift',
  'hidden-text', 'start', 'stop', 'audit'
];

export function recordView(root, _, parameters) {
  const inputs =
      Object.fromEntries(fields.map(([name, label]) => [name, h('input', {
                                                          id: `record-${name}`,
                                                          name,
                                                          autocomplete: 'off',
                                                          spellcheck: 'false',
                                                          value: parameters.get(name) ?? ''
                                                        })]));
  const choice = (name, values, chosen) =>
      h('select', {id: `record-${name}`, name}, h('option', {value: ''}, 'any'),
        values.map((each) => h('option', {value: each, selected: each === chosen}, each)));
  inputs.decision = choice(
      'decision', ['allow', 'deny', 'malformed', 'unknown-agent'], parameters.get('decision'));
  inputs.kind = choice('kind', kinds, parameters.get('kind') ?? 'decision');
  const body = h('tbody', {}), note = h('p', {class: 'sub'}),
        wrong = h('p', {class: 'error', role: 'alert'});
  const more = h('button', {type: 'button', hidden: true, onclick: () => search(true)}, 'Older');
  const field = (name, label) => h('div', {class: 'field'}, h('label', {for: `record-${name}`
                                   }, label), inputs[name]);
  fill(
      root, h('h2', {}, 'Record'),
      h('form', {
        class: 'filters',
        role: 'search',
        onsubmit: (event) => {
          event.preventDefault();
          search(false);
        }
      },
        fields.map(([name, label]) => field(name, label)), field('decision', 'Decision'),
        field('kind', 'Kind'),
        h('div', {class: 'actions'}, h('button', {type: 'submit', class: 'primary'}, 'Search'))),
      wrong, table('Lines of the record, newest first', body), note, more);

  let next = null;
  async function search(on) {
    const asked = Object.fromEntries(
        Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]));
    text(wrong, '');
    try {
      const found =
          await get(`/v1/audit${query({...asked, limit: 100, ...(on && {before: next})})}`);
      const rows = found.lines.map(row);
      if (on)
        body.append(...rows);
      else
        fill(body, rows);
      next = found.next ?? null;
      more.hidden = next === null;
      text(note, `${count(body.childElementCount)} lines${found.complete ? ', and no more' : ''}`);
      say(note.textContent);
    } catch (error) {
      text(wrong, error.message);
    }
  }
  search(false);
  return {update() {}, end() {}};
}
