// The menus of chapters close when they are left. The contents: narrowed by a filter, folded on a narrow screen, and following where one
// reads. All of it works without, too.

const menus = [...document.querySelectorAll('.top details')];
const closeMenus = (but) => menus.filter((menu) => menu !== but).forEach((menu) => { menu.open = false; });
document.addEventListener('click', (event) => closeMenus(event.target.closest('.top details')));
document.addEventListener('focusin', (event) => closeMenus(event.target.closest('.top details')));
document.addEventListener('keydown', (event) => {
  const open = menus.find((menu) => menu.open);
  if (event.key !== 'Escape' || !open) return;
  closeMenus();
  open.querySelector('summary').focus();
});

const contents = document.querySelector('.contents');
if (contents) {
  const narrow = matchMedia('(max-width: 60rem)');
  const fold = () => { contents.open = !narrow.matches; };
  narrow.addEventListener('change', fold);
  fold();
  contents.addEventListener('click', (event) => {
    if (narrow.matches && event.target.closest('a')) contents.open = false;
  });

  const filter = contents.querySelector('.filter');
  const input = filter.querySelector('input');
  filter.hidden = false;
  input.addEventListener('input', () => narrowTo(input.value.trim().toLowerCase()));
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.target.closest('input')) return;
    event.preventDefault();
    contents.open = true;
    input.focus();
  });
  mark(contents);
}

/** Chapters stay while one of their entries does. */
function narrowTo(wanted) {
  for (const chapter of contents.querySelectorAll('nav > ul > li')) {
    const isWanted = (link) => link.textContent.toLowerCase().includes(wanted);
    const isWhole = isWanted(chapter.querySelector('a'));
    const entries = [...chapter.querySelectorAll('li')];
    for (const entry of entries) entry.hidden = !isWhole && !isWanted(entry);
    chapter.hidden = !isWhole && entries.every((entry) => entry.hidden);
  }
}

/** The entry of what is at the top of the window. */
function mark(list) {
  const links = new Map([...list.querySelectorAll('a')].map((link) => [link.hash.slice(1), link]));
  const targets = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean);
  let current = null;
  const look = () => {
    const passed = targets.filter((target) => target.getBoundingClientRect().top < 120);
    const last = passed.reduce((best, one) => (best && best.compareDocumentPosition(one) & 2 ? best : one), null);
    const link = last && links.get(last.id);
    if (link === current) return;
    current?.removeAttribute('aria-current');
    link?.setAttribute('aria-current', 'true');
    current = link;
    if (link && list.open) link.scrollIntoView({ block: 'nearest' });
  };
  let waiting = false;
  addEventListener('scroll', () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; look(); });
  }, { passive: true });
  look();
}
