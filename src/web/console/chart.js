// Small charts of the last minutes: lines in an SVG, their values beside it, and what they were where one points.

import { make } from '../page/dom.js';
import { setText } from './text.js';

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 100;
/** Samples kept: five minutes of one each two seconds. */
export const SAMPLES = 150;
/** A chart is at least this wide, so that its first minute is not pressed against the edge. */
const SAMPLES_MIN = 30;

function draw(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** Returns the least of 1, 2, 5 times a power of ten that is not below a value. */
function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}

export class Chart {
  #series;
  #format;
  #samples = [];
  #svg = draw('svg', { preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  #line = draw('line', { class: 'at', y1: 0, y2: HEIGHT, visibility: 'hidden' });
  #top = make('span', { className: 'chart-top' });
  #when = make('span', { className: 'chart-when' });
  #pointed = null;
  /** The number of steps from the left edge to the right. */
  #steps = SAMPLES_MIN - 1;

  /** `series`: `[{key, name}]` in the order of their colours; `format` makes a text of a value. */
  constructor(titleKey, series, format) {
    this.#format = format;
    const title = make('h3');
    setText(title, titleKey);
    this.#series = series.map(({ key, name }, n) => {
      const value = make('b', { textContent: '–' });
      const words = make('span');
      setText(words, name);
      const area = draw('path', { class: `area c${n}` });
      const path = draw('path', { class: `stroke c${n}` });
      this.#svg.append(area, path);
      return { key, value, area, path, entry: make('li', { className: `c${n}` }, words, value) };
    });
    for (const part of [0, HEIGHT / 2, HEIGHT]) this.#svg.prepend(draw('line', { class: 'grid', x1: 0, x2: '100%', y1: part, y2: part }));
    this.#svg.append(this.#line);
    const plot = make('div', { className: 'plot' }, this.#top, this.#when);
    plot.prepend(this.#svg);
    plot.onpointermove = (event) => this.#point(event);
    plot.onpointerleave = () => this.#point(null);
    this.#svg.setAttribute('viewBox', `0 0 ${this.#steps} ${HEIGHT}`);
    this.root = make('section', { className: 'card chart' }, title, make('ul', { className: 'legend' }, ...this.#series.map(({ entry }) => entry)), plot);
  }

  /** Adds a sample: `{time, [key]: number | null}`. */
  add(sample) {
    this.#samples.push(sample);
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#show();
  }

  /** Returns the step of the first sample. */
  get #first() {
    return this.#steps + 1 - this.#samples.length;
  }

  #show() {
    this.#steps = Math.max(SAMPLES_MIN, this.#samples.length) - 1;
    this.#svg.setAttribute('viewBox', `0 0 ${this.#steps} ${HEIGHT}`);
    const first = this.#first;
    const values = this.#series.flatMap(({ key }) => this.#samples.map((sample) => sample[key] ?? 0));
    const top = ceiling(Math.max(...values));
    const y = (value) => (HEIGHT - (value / top) * (HEIGHT - 2)).toFixed(2);
    for (const { key, area, path } of this.#series) {
      let line = '';
      let isDown = false;
      this.#samples.forEach((sample, n) => {
        const value = sample[key];
        if (value === null || value === undefined) { isDown = false; return; }
        line += `${isDown ? 'L' : 'M'}${first + n} ${y(value)}`;
        isDown = true;
      });
      path.setAttribute('d', line);
      const isWhole = line && this.#samples.every((sample) => sample[key] !== null && sample[key] !== undefined);
      area.setAttribute('d', isWhole ? `${line}L${this.#steps} ${HEIGHT}L${first} ${HEIGHT}Z` : '');
    }
    this.#top.textContent = this.#format(top);
    this.#showValues();
  }

  #point(event) {
    const first = this.#first;
    const { left, width } = this.#svg.getBoundingClientRect();
    const n = event && Math.round(((event.clientX - left) / width) * this.#steps) - first;
    this.#pointed = event && this.#samples[n] ? this.#samples[n] : null;
    this.#line.setAttribute('visibility', this.#pointed ? 'visible' : 'hidden');
    if (this.#pointed) for (const end of ['x1', 'x2']) this.#line.setAttribute(end, first + n);
    this.#showValues();
  }

  #showValues() {
    const sample = this.#pointed ?? this.#samples.at(-1);
    for (const { key, value } of this.#series) {
      const now = sample?.[key];
      value.textContent = now === null || now === undefined ? '–' : this.#format(now);
    }
    this.#when.textContent = this.#pointed ? new Date(this.#pointed.time).toLocaleTimeString() : '';
  }
}
