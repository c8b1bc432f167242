// Where barrages fly, from right to left, in lanes.
//
// A room may carry far more barrages than anybody can read. The stage draws what fits: a lane takes the next
// one when the last has cleared the right edge, and what finds no lane is not drawn. What somebody typed, and
// what has high priority, waits a moment for a lane instead, ahead of all others.

const LANE_HEIGHT_PX = 30;
const TOP_PX = 6;
const SPEED_PX_PER_S = 150;
const GAP_PX = 28;
const ON_SCREEN_MAX = 90;
const WAITING_MAX = 8;
const STILL_MS = 2600;
const WAIT_STEP_MS = 60;

const stillness = matchMedia('(prefers-reduced-motion: reduce)');
const PRIORITY_CLASSES = ['', 'low', 'medium', 'high'];

export class Stage {
  #root;
  #laneFreeAt = [];
  #onScreen = 0;
  #waiting = [];
  #wake = null;

  constructor(root) {
    this.#root = root;
  }

  show(words, { priority = 1, mine = false, mayWait = false }) {
    // A hidden stage has no size, and what would fly there nobody sees.
    if (this.#root.clientWidth === 0) return;
    const barrage = { words, priority, mine };
    if (mayWait || this.#waiting.length > 0) {
      if (mayWait) this.#waiting.push(barrage);
      if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
      this.#launchWaiting();
      return;
    }
    const lane = this.#freeLane();
    if (lane !== null) this.#launch(barrage, lane);
  }

  #launchWaiting() {
    clearTimeout(this.#wake);
    while (this.#waiting.length > 0) {
      const lane = this.#freeLane();
      if (lane === null) {
        this.#wake = setTimeout(() => this.#launchWaiting(), WAIT_STEP_MS);
        return;
      }
      this.#launch(this.#waiting.shift(), lane);
    }
  }

  #launch({ words, priority, mine }, lane) {
    const shot = document.createElement('span');
    shot.className = `shot ${PRIORITY_CLASSES[priority] ?? 'low'}${mine ? ' mine' : ''}`;
    shot.textContent = words;
    shot.style.top = `${lane * LANE_HEIGHT_PX + TOP_PX}px`;
    this.#root.append(shot);
    if (stillness.matches) this.#hold(shot, lane);
    else this.#fly(shot, lane);
  }

  #fly(shot, lane) {
    const from = this.#root.clientWidth;
    const width = shot.offsetWidth;
    this.#laneFreeAt[lane] = performance.now() + ((width + GAP_PX) / SPEED_PX_PER_S) * 1000;
    const path = [{ transform: `translateX(${from}px)` }, { transform: `translateX(${-width}px)` }];
    this.#run(shot, path, ((from + width) / SPEED_PX_PER_S) * 1000);
  }

  /** For people who asked for less motion: it stands still for a moment and goes. */
  #hold(shot, lane) {
    this.#laneFreeAt[lane] = performance.now() + STILL_MS;
    shot.classList.add('still');
    this.#run(shot, [{ opacity: 1 }, { opacity: 1, offset: 0.8 }, { opacity: 0 }], STILL_MS);
  }

  #run(shot, path, duration) {
    this.#onScreen += 1;
    const flight = shot.animate(path, { duration, easing: 'linear', fill: 'both' });
    const land = () => {
      shot.remove();
      this.#onScreen -= 1;
    };
    flight.finished.then(land, land);
  }

  #freeLane() {
    if (this.#onScreen >= ON_SCREEN_MAX) return null;
    const now = performance.now();
    const count = Math.max(1, Math.floor((this.#root.clientHeight - TOP_PX) / LANE_HEIGHT_PX));
    const free = Array.from({ length: count }, (_, lane) => lane).filter((lane) => (this.#laneFreeAt[lane] ?? 0) <= now);
    return free.length > 0 ? free[Math.floor(Math.random() * free.length)] : null;
  }
}
