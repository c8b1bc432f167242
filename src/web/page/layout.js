// The layout of barrages that cross the player area, from right to left, in lanes.
//
// A room may carry far more barrages than anybody can read. The layout shows what fits: a lane takes the next
// barrage when the last one has cleared the right edge, and a barrage that finds no free lane is not shown. One
// that somebody typed here, or that has high priority, waits a moment for a lane instead, ahead of all others.

const LANE_HEIGHT_PX = 30;
const TOP_MARGIN_PX = 6;
const SPEED_PX_PER_S = 150;
const GAP_PX = 28;
const ON_SCREEN_MAX = 90;
const WAITING_MAX = 8;
const STILL_MS = 2600;
const WAIT_STEP_MS = 60;

const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
const PRIORITY_CLASSES = ['', 'low', 'medium', 'high'];

export class BarrageLayout {
  #root;
  #laneFreeAt = [];
  #onScreen = 0;
  #waiting = [];
  #retryTimer = null;

  constructor(root) {
    this.#root = root;
  }

  /** Shows a barrage where a lane is free; with `mayWait` it may wait for one. */
  show(text, { priority = 1, mine = false, mayWait = false }) {
    // A hidden area has no size, and nobody would see the barrage.
    if (this.#root.clientWidth === 0) return;
    const barrage = { text, priority, mine };
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
    clearTimeout(this.#retryTimer);
    while (this.#waiting.length > 0) {
      const lane = this.#freeLane();
      if (lane === null) {
        this.#retryTimer = setTimeout(() => this.#launchWaiting(), WAIT_STEP_MS);
        return;
      }
      this.#launch(this.#waiting.shift(), lane);
    }
  }

  #launch({ text, priority, mine }, lane) {
    const element = document.createElement('span');
    element.className = `shot ${PRIORITY_CLASSES[priority] ?? 'low'}${mine ? ' mine' : ''}`;
    element.textContent = text;
    element.style.top = `${lane * LANE_HEIGHT_PX + TOP_MARGIN_PX}px`;
    this.#root.append(element);
    if (reducedMotion.matches) this.#showStill(element, lane);
    else this.#animateAcross(element, lane);
  }

  #animateAcross(element, lane) {
    const from = this.#root.clientWidth;
    const width = element.offsetWidth;
    this.#laneFreeAt[lane] = performance.now() + ((width + GAP_PX) / SPEED_PX_PER_S) * 1000;
    const keyframes = [{ transform: `translateX(${from}px)` }, { transform: `translateX(${-width}px)` }];
    this.#animate(element, keyframes, ((from + width) / SPEED_PX_PER_S) * 1000);
  }

  /** Shows a barrage that stands still for a moment, for people who asked for reduced motion. */
  #showStill(element, lane) {
    this.#laneFreeAt[lane] = performance.now() + STILL_MS;
    element.classList.add('still');
    this.#animate(element, [{ opacity: 1 }, { opacity: 1, offset: 0.8 }, { opacity: 0 }], STILL_MS);
  }

  #animate(element, keyframes, duration) {
    this.#onScreen += 1;
    const animation = element.animate(keyframes, { duration, easing: 'linear', fill: 'both' });
    const remove = () => {
      element.remove();
      this.#onScreen -= 1;
    };
    animation.finished.then(remove, remove);
  }

  #freeLane() {
    if (this.#onScreen >= ON_SCREEN_MAX) return null;
    const now = performance.now();
    const count = Math.max(1, Math.floor((this.#root.clientHeight - TOP_MARGIN_PX) / LANE_HEIGHT_PX));
    const free = Array.from({ length: count }, (_, lane) => lane).filter((lane) => (this.#laneFreeAt[lane] ?? 0) <= now);
    return free.length > 0 ? free[Math.floor(Math.random() * free.length)] : null;
  }
}
