// The admin side's answers. The session is a cookie that this page cannot read.
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      headers: body === undefined ? {} : {'Content-Type': 'application/json'},
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, 'the sidecar does not answer');
  }
  let answer = null;
  try {
    answer = await response.json();
  } catch { /* not JSON */
  }
  if (!response.ok)
    throw new Refused(response.status, answer?.detail ?? `status ${response.status}`);
  return answer;
}
export const get = (path) => ask('GET', path);
export const post = (path, body) => ask('POST', path, body);

// Parameters without those that are empty.
export function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== '' && value != null);
  return given.length > 0 ? `?${new URLSearchParams(given)}` : '';
}

// Events until stop(): `on` has a function for each name, and for `open` and `lost`.
export function watch(on) {
  let source = null, timer = 0, stopped = false;
  const open = () => {
    source = new EventSource('/v1/live');
    source.onopen = () => on.open();
    source.onerror = () => {
      on.lost();
      // Refused, not cut off: a browser does not try again by itself.
      if (source.readyState === EventSource.CLOSED && !stopped) timer = setTimeout(open, 3000);
    };
    for (const name of ['lines', 'missed', 'agents', 'budgets', 'approvals']) {
      source.addEventListener(name, (event) => {
        let value;
        try {
          value = JSON.parse(event.data);
        } catch {
          return;
        }
        on[name](value);
      });
    }
  };
  open();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
      source.close();
    }
  };
}
