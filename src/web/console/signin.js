// The sign-in form: it asks for the password, or lets one be chosen where the page was opened by the setup link.

import { make, textButton } from '../page/dom.js';
import { remember, setUp, signIn } from './api.js';
import { failureText } from './ask.js';
import { setText } from './text.js';

const PASSWORD_CHARS_MIN = 12;

/** Returns the token of the setup link, if the page was opened by one, and removes it from the address. */
export function takeToken() {
  const token = /^#setup=([\w-]+)$/.exec(location.hash)?.[1] ?? null;
  if (token) history.replaceState(null, '', location.pathname + location.search);
  return token;
}

/** Shows the form. `state`: what the broker says of itself; `ended`: a session was there before. `done` is called after it. */
export function showSignIn(root, { isSetUp, token, ended }, done) {
  const chooses = !isSetUp && token;
  const title = make('h2');
  setText(title, chooses ? 'choosePassword' : 'signInTitle');
  const note = make('p', { className: 'note' });
  const error = make('p', { className: 'error', hidden: true });
  error.setAttribute('role', 'alert');
  if (chooses) setText(note, 'chooseNote', { n: PASSWORD_CHARS_MIN });
  else if (!isSetUp) setText(note, 'noPasswordYet');
  else if (token) setText(note, 'linkUsed');
  else if (ended) setText(note, 'ended');
  note.hidden = !note.textContent;
  const form = make('form', { className: 'card door' }, title, note);
  if (!isSetUp && !token) {
    const command = make('code', { className: 'command', textContent: 'tidings console reset' });
    form.append(command);
    root.replaceChildren(form);
    return;
  }
  const password = field(form, 'password', chooses ? 'new-password' : 'current-password');
  const again = chooses ? field(form, 'passwordAgain', 'new-password') : null;
  const enter = textButton(chooses ? 'setPassword' : 'signIn', null, { type: 'submit', className: 'main-action' });
  form.append(error, enter);
  const fail = (text) => {
    error.hidden = false;
    error.textContent = text;
  };
  form.onsubmit = async (event) => {
    event.preventDefault();
    error.hidden = true;
    if (again && [...password.value].length < PASSWORD_CHARS_MIN) { setText(error, 'tooShort', { n: PASSWORD_CHARS_MIN }); error.hidden = false; return; }
    if (again && again.value !== password.value) { setText(error, 'notTheSame'); error.hidden = false; return; }
    enter.disabled = true;
    try {
      const { csrf } = await (chooses ? setUp(token, password.value) : signIn(password.value));
      remember(csrf);
      done();
    } catch (failure) {
      fail(failureText(failure));
      password.select();
    } finally {
      enter.disabled = false;
    }
  };
  root.replaceChildren(form);
  password.focus();
}

function field(form, key, autocomplete) {
  const name = make('span');
  setText(name, key);
  const input = make('input', { type: 'password', name: key, required: true, autocomplete, maxLength: 1024 });
  form.append(make('label', {}, name, input));
  return input;
}
