// Texts in two languages. An element keeps the key of the entry it shows (`data-text`, `data-vars`), so that switching the language
// is one walk over the document and nothing has to be drawn again. Each page brings its dictionary by `useDictionary`.

const STORAGE_KEY = 'tidings.page.language';
const LANGUAGES = ['en', 'zh'];
let language = storedLanguage() ?? (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');
let dictionary = { en: {}, zh: {} };

/** Sets the page's dictionary: `{en: {key: text}, zh: {key: text}}`. */
export function useDictionary(entries) {
  dictionary = entries;
}

export const currentLanguage = () => language;

/** Writes an entry into an element, and its key beside it, by which `translate` finds it again. */
export function setText(element, key, vars = null) {
  element.dataset.text = key;
  if (vars) element.dataset.vars = JSON.stringify(vars);
  else delete element.dataset.vars;
  element.textContent = formatText(key, vars);
}

/** Sets the accessible name of an element that shows no text. */
export function setLabel(element, key, vars = null) {
  element.dataset.label = key;
  if (vars) element.dataset.labelVars = JSON.stringify(vars);
  element.setAttribute('aria-label', formatText(key, vars));
}

/** Sets the tooltip of an element. */
export function setTooltip(element, key, vars = null) {
  element.dataset.hint = key;
  if (vars) element.dataset.hintVars = JSON.stringify(vars);
  element.title = formatText(key, vars);
}

/** Writes all entries below an element anew, in the current language. */
export function translate(root) {
  for (const element of root.querySelectorAll('[data-text]')) {
    element.textContent = formatText(element.dataset.text, parseVars(element.dataset.vars));
  }
  for (const element of root.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', formatText(element.dataset.label, parseVars(element.dataset.labelVars)));
  }
  for (const element of root.querySelectorAll('[data-placeholder]')) {
    element.placeholder = formatText(element.dataset.placeholder);
  }
  for (const element of root.querySelectorAll('[data-hint]')) {
    element.title = formatText(element.dataset.hint, parseVars(element.dataset.hintVars));
  }
}

export function switchLanguage() {
  language = language === 'en' ? 'zh' : 'en';
  try {
    localStorage.setItem(STORAGE_KEY, language);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  applyLanguage();
}

export function applyLanguage() {
  document.documentElement.lang = language === 'zh' ? 'zh-Hans' : 'en';
  translate(document);
}

/** Returns whether there is such an entry. */
export const hasText = (key) => key in dictionary[language];

/** Returns an entry in the current language, its `{name}`s replaced by `vars`. */
export function formatText(key, vars) {
  const text = dictionary[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => vars?.[name] ?? whole);
}

const timeOfDay = (at) => at.toLocaleTimeString(language, { hour: 'numeric', minute: '2-digit' });
const dayOfYear = (at) => at.toLocaleDateString(language, { month: 'short', day: 'numeric' });
const isToday = (at) => at.toDateString() === new Date().toDateString();

/** Returns the time of day, or the day when it is not today. */
export function formatTime(timestamp) {
  const at = new Date(timestamp);
  return isToday(at) ? timeOfDay(at) : dayOfYear(at);
}

/** Returns the time of day. */
export const formatClock = (timestamp) => timeOfDay(new Date(timestamp));

/** Returns the day: "today" and "yesterday" by name, others with their weekday. */
export function formatDay(timestamp) {
  const at = new Date(timestamp);
  const midnight = (day) => new Date(day).setHours(0, 0, 0, 0);
  const days = Math.round((midnight(at) - midnight(Date.now())) / 86_400_000);
  if (days === 0 || days === -1) {
    const name = new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(days, 'day');
    return name.charAt(0).toUpperCase() + name.slice(1);
  }
  const isThisYear = at.getFullYear() === new Date().getFullYear();
  return at.toLocaleDateString(language, { weekday: 'short', month: 'long', day: 'numeric', ...(isThisYear ? {} : { year: 'numeric' }) });
}

/** Returns the time of day, after the day when it is not today. */
export function formatDateTime(timestamp) {
  const at = new Date(timestamp);
  return isToday(at) ? timeOfDay(at) : `${dayOfYear(at)}, ${timeOfDay(at)}`;
}

function parseVars(text) {
  return text ? JSON.parse(text) : null;
}

function storedLanguage() {
  try {
    const stored = localStorage.getItem(STORAGE_KEY);
    return LANGUAGES.includes(stored) ? stored : null;
  } catch {
    return null;
  }
}
