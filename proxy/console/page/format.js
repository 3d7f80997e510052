// Numbers, times and amounts as people read them.
const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', {notation: 'compact', maximumFractionDigits: 1});
const clock =
    new Intl.DateTimeFormat('en-GB', {hour: '2-digit', minute: '2-digit', second: '2-digit'});
const day = new Intl.DateTimeFormat('en-GB', {day: 'numeric', month: 'short'});

export const count = (n) => n < 10_000 ? whole.format(n) : compact.format(n);
export const percent = (part, all) => all === 0 ? '0 %' :
    part > 0 && part / all < 0.01               ? '< 1 %' :
                                                  `${Math.round(100 * part / all)} %`;

// An amount of a unit: "12.50 USD", "85 calls".
export function amount(value, unit) {
  const n = Number(value);
  if (unit === 'calls' || unit === 'tokens') return `${count(n)} ${unit}`;
  const digits = n !== 0 && Math.abs(n) < 0.1 ? 4 : 2;
  return `${n.toFixed(digits).replace(/(\.\d\d)0+$/, '$1')} ${unit ?? ''}`.trim();
}

export function time(iso) {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return String(iso);
  const today = new Date().toDateString() === at.toDateString();
  return today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
}

const steps = [[86_400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
function span(seconds) {
  for (const [size, name] of steps) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${name}`;
  }
  return '0 s';
}
export const ago = (iso) => {
  const seconds = (Date.now() - new Date(iso)) / 1000;
  return seconds < 5 ? 'now' : `${span(seconds)} ago`;
};
export function left(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  if (seconds <= 0) return 'over';
  if (seconds < 3600) {
    const s = Math.floor(seconds);
    return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
  }
  return span(seconds);
}

// `policy.yaml:12` of a place, whatever folder it is in.
export const place = (at) => String(at).slice(String(at).lastIndexOf('/') + 1);
