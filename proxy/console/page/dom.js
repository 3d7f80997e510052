// Elements made by code. A text is always a text node: nothing that an agent chose is ever read as
// markup, and what does not show in it is escaped.

// Controls, soft hyphens, what is of zero width or turns the direction of writing, tags.
const hiddenCharacters =
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

export function visible(text) {
  return String(text).replace(
      hiddenCharacters, (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, '0')}`);
}

const attributes = new Set([
  'class',    'id',         'href',        'type',         'name',
  'value',    'for',        'role',        'title',        'hidden',
  'disabled', 'tabindex',   'placeholder', 'autocomplete', 'maxlength',
  'required', 'selected',   'rows',        'scope',        'colspan',
  'datetime', 'lang',       'open',        'viewBox',      'preserveAspectRatio',
  'x',        'y',          'width',       'height',       'd',
  'rx',       'spellcheck', 'inputmode'
]);

function set(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith('on')) return element.addEventListener(name.slice(2), value);
  if (!attributes.has(name) && !name.startsWith('aria-') && !name.startsWith('data-'))
    throw new Error(`no attribute ${name}`);
  if (name === 'href' && !String(value).startsWith('#')) throw new Error('links stay on the page');
  element.setAttribute(name, value === true ? '' : visible(value));
}

function add(element, child) {
  if (child === undefined || child === null || child === false) return;
  if (Array.isArray(child)) return child.forEach((each) => add(element, each));
  element.append(child instanceof Node ? child : visible(child));
}

function build(element, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) set(element, name, value);
  add(element, children);
  return element;
}

// h('p', {class: 'note'}, 'text', element, …). `onclick` and its kin are listeners.
export const h = (tag, properties, ...children) =>
    build(document.createElement(tag), properties, children);
export const svg = (tag, properties, ...children) =>
    build(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children);

export function fill(element, ...children) {
  const made = document.createDocumentFragment();
  children.forEach((child) => add(made, child));
  element.replaceChildren(made);
  return element;
}

// Only where it differs: what a screen reader or a selection stands in is left alone.
export function text(element, value) {
  const shown = visible(value);
  if (element.textContent !== shown) element.textContent = shown;
}

// The children of `parent` become one for each item, by key: what is there already is kept, with
// its focus and what was typed in it. `create` gives {element, update(item)}.
export function keyed(parent, items, keyOf, create) {
  parent.entries ??= new Map();
  const seen = new Set();
  let at = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    seen.add(key);
    let entry = parent.entries.get(key);
    if (!entry) parent.entries.set(key, entry = create(item));
    entry.update?.(item);
    if (entry.element === at)
      at = at.nextSibling;
    else
      parent.insertBefore(entry.element, at);
  }
  for (const [key, entry] of parent.entries) {
    if (seen.has(key)) continue;
    entry.element.remove();
    parent.entries.delete(key);
  }
}

// Said by a screen reader, and shown nowhere.
export function say(words) {
  document.getElementById('said').textContent = visible(words);
}

// A modal dialog with a title, ended by its button, Escape or close().
export function openDialog(title, ...content) {
  const dialog = document.getElementById('dialog');
  const close = () => dialog.close();
  fill(
      dialog,
      h('div', {class: 'dialog-head'}, h('h2', {id: 'dialog-title'}, title),
        h('button', {type: 'button', class: 'quiet', onclick: close, 'aria-label': 'Close'}, '✕')),
      content);
  dialog.showModal();
  return {close};
}
