// Words in two languages. An element remembers which entry it shows (`data-text`, `data-vars`), so switching the language is
// one walk over the document and nothing has to be drawn again. Each page brings its dictionary by `speak`.

const REMEMBERED = 'tidings.page.language';
const LANGUAGES = ['en', 'zh'];
let language = remembered() ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');
let dictionary = { en: {}, zh: {} };

/** Takes the page's words: `{en: {key: text}, zh: {key: text}}`. */
export function speak(words) {
  dictionary = words;
}

export const currentLanguage = () => language;

/** Writes one entry into an element and leaves the note by which `translate` finds it again. */
export function say(element, key, vars = null) {
  element.dataset.text = key;
  if (vars) element.dataset.vars = JSON.stringify(vars);
  else delete element.dataset.vars;
  element.textContent = phrase(key, vars);
}

/** The same for the name of an element without words. */
export function label(element, key, vars = null) {
  element.dataset.label = key;
  if (vars) element.dataset.labelVars = JSON.stringify(vars);
  element.setAttribute('aria-label', phrase(key, vars));
}

/** The same for a tooltip. */
export function hint(element, key, vars = null) {
  element.dataset.hint = key;
  if (vars) element.dataset.hintVars = JSON.stringify(vars);
  element.title = phrase(key, vars);
}

export function translate(root) {
  for (const element of root.querySelectorAll('[data-text]')) {
    element.textContent = phrase(element.dataset.text, parsed(element.dataset.vars));
  }
  for (const element of root.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', phrase(element.dataset.label, parsed(element.dataset.labelVars)));
  }
  for (const element of root.querySelectorAll('[data-placeholder]')) {
    element.placeholder = phrase(element.dataset.placeholder);
  }
  for (const element of root.querySelectorAll('[data-hint]')) {
    element.title = phrase(element.dataset.hint, parsed(element.dataset.hintVars));
  }
}

export function switchLanguage() {
  language = language === 'en' ? 'zh' : 'en';
  try {
    localStorage.setItem(REMEMBERED, language);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  applyLanguage();
}

export function applyLanguage() {
  document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
  translate(document);
}

/** An entry in the language of the page, with its places filled. */
export function phrase(key, vars) {
  const words = dictionary[language][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => vars?.[name] ?? whole);
}

const time = (at) => at.toLocaleTimeString(language, { hour: 'numeric', minute: '2-digit' });
const day = (at) => at.toLocaleDateString(language, { month: 'short', day: 'numeric' });
const isToday = (at) => at.toDateString() === new Date().toDateString();

/** When something was, as short as can be. */
export function timeText(timestamp) {
  const at = new Date(timestamp);
  return isToday(at) ? time(at) : day(at);
}

/** The same, always with the time of day. */
export function momentText(timestamp) {
  const at = new Date(timestamp);
  return isToday(at) ? time(at) : `${day(at)}, ${time(at)}`;
}

function parsed(text) {
  return text ? JSON.parse(text) : null;
}

function remembered() {
  try {
    const stored = localStorage.getItem(REMEMBERED);
    return LANGUAGES.includes(stored) ? stored : null;
  } catch {
    return null;
  }
}
