// The page's calls to the broker. All addresses are relative to the folder the page is in.

/** A call that failed; with `status` 0 the broker could not be reached. */
export class Failure extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

let csrf = null;
let whenSignedOut = () => {};

export const remember = (token) => { csrf = token; };
export const onSignedOut = (act) => { whenSignedOut = act; };

async function call(method, path, body) {
  const headers = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (method !== 'GET' && csrf) headers['X-Tidings-CSRF'] = csrf;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: 'no-store', credentials: 'same-origin' });
  } catch {
    throw new Failure(0, undefined, 'unreachable');
  }
  const said = await answer.json().catch(() => null);
  if (answer.ok) return said ?? {};
  throw new Failure(answer.status, said?.code, said?.detail ?? answer.statusText);
}

/** Asks whether there is a password, and whether somebody is signed in: `{isSetUp, isSignedIn, csrf, version}`. */
export const whoIsThere = () => call('GET', 'console/session');
export const signIn = (password) => call('POST', 'console/session', { password });
export const setUp = (token, password) => call('POST', 'console/setup', { token, password });
export const signOut = () => call('DELETE', 'console/session');

/** Calls the server API: `ask('GET', 'rooms', {limit: 10})`; `query` of a GET is put into the address. */
export async function ask(method, path, { query = {}, body } = {}) {
  const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== '' && value !== null);
  const search = new URLSearchParams(asked).toString();
  try {
    return await call(method, `api/v1/${path}${search ? `?${search}` : ''}`, body);
  } catch (failure) {
    if (failure.status === 401) whenSignedOut();
    throw failure;
  }
}

/** Escapes one segment of a path. */
export const id = encodeURIComponent;
