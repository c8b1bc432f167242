// The theme: light or dark as the system is set, or as it was chosen here.

const REMEMBERED = 'tidings.page.theme';
const THEMES = ['system', 'light', 'dark'];

let theme = remembered();

function remembered() {
  try {
    const stored = localStorage.getItem(REMEMBERED);
    return THEMES.includes(stored) ? stored : 'system';
  } catch {
    return 'system';
  }
}

export function nextTheme() {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  try {
    localStorage.setItem(REMEMBERED, theme);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

/** Applies the chosen theme to the document. @returns {string} the theme */
export function applyTheme() {
  document.documentElement.dataset.theme = theme;
  return theme;
}
