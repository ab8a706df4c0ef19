// Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
'use strict';
// The plots of an episode are made when it comes into view and removed when it leaves it, so that
// a page of a thousand episodes holds only a few canvases.

const PLOT_HEIGHT = 230;
const NUM_COLOURS = 12;
// Distances of the labels on the time axis.
const SECONDS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
const GAP = 65535;
const LEVELS = 65534;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** The series of a plot: 16 bits per number, between the extremes of its element. */
function unpack(plot) {
  const bytes = Uint8Array.from(atob(plot.data), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer), numPoints = bytes.length / 2 / plot.names.length;
  return plot.names.map((_, element) => {
    const low = plot.low[element], span = plot.high[element] - low;
    return Array.from({length: numPoints}, (_, k) => {
      const level = view.getUint16(2 * (element * numPoints + k), true);
      return level === GAP ? null : low + level / LEVELS * span;
    });
  });
}

/** The rows at which points are drawn: all, or beginning and middle of each stretch of rows. */
function rowsOf(numRows, numPoints) {
  if (numPoints === numRows) return Array.from({length: numRows}, (_, row) => row);
  const numStretches = numPoints / 2;
  const bound = (k) => Math.floor(k * numRows / numStretches);
  return Array.from({length: numPoints}, (_, k) => {
    const stretch = k >> 1, first = bound(stretch);
    return k % 2 ? Math.floor((first + bound(stretch + 1)) / 2) : first;
  });
}

const shown = (value) => value === null || value === undefined ? '' : Number(value.toPrecision(4)).toString();

class EpisodePlots {
  constructor(container) {
    this.container = container;
    this.episode = container.closest('.episode').id;
    this.hidden = new Set();
    this.plots = [];
  }

  make() {
    if (this.plots.length) return;
    const script = this.container.querySelector('script');
    const series = JSON.parse(script.textContent);
    const colours = new Map();
    for (const plot of series.plots)
      for (const name of plot.names)
        if (!colours.has(name)) colours.set(name, colour(`--s${colours.size % NUM_COLOURS}`));
    for (const plot of series.plots) this.plots.push(this.plotOf(plot, series, colours));
    this.container.style.minHeight = '';
  }

  remove() {
    if (!this.plots.length) return;
    // The place stays as high as it is, so that nothing below it moves.
    this.container.style.minHeight = `${this.container.offsetHeight}px`;
    for (const plot of this.plots) plot.destroy();
    this.plots = [];
    for (const box of this.container.querySelectorAll('.plot')) box.remove();
  }

  resize() {
    for (const plot of this.plots) plot.setSize({width: this.width(), height: PLOT_HEIGHT});
  }

  width() {
    return Math.max(240, this.container.clientWidth);
  }

  plotOf(plot, series, colours) {
    const box = document.createElement('div');
    box.className = 'plot';
    const title = document.createElement('h4');
    const rest = plot.left_out ? ` (without its last ${plot.left_out} elements)` : '';
    title.textContent = plot.title + rest;
    box.append(title);
    this.container.append(box);
    const lines = plot.names.map((name) => ({
      label: name, stroke: colours.get(name), width: 1.6, points: {show: false},
      show: !this.hidden.has(name), value: (_, value) => shown(value),
    }));
    const numbers = unpack(plot), rows = rowsOf(series.rows, numbers[0].length);
    const made = new uPlot(this.options(lines, series), [rows, ...numbers], box);
    this.nameForReaders(made, plot.title);
    return made;
  }

  options(lines, series) {
    const axis = {
      stroke: colour('--muted'), font: '13px system-ui, sans-serif',
      grid: {stroke: colour('--line'), width: 1}, ticks: {stroke: colour('--line'), width: 1},
    };
    const time = (row) => (row / series.fps).toFixed(2);
    return {
      width: this.width(), height: PLOT_HEIGHT, padding: [10, 12, 0, 0],
      scales: {x: {time: false}},
      cursor: {sync: {key: this.episode}, drag: {x: true, y: false}, focus: {prox: 20}},
      focus: {alpha: 0.45},
      legend: {markers: {width: 0, fill: (_, index) => lines[index - 1]?.stroke}},
      axes: [
        {
          ...axis, size: 32, incrs: SECONDS.map((seconds) => seconds * series.fps),
          values: (_, rows) => rows.map((row) => `${Number(time(row))} s`),
        },
        {...axis, size: 52},
      ],
      series: [
        {label: 'frame', value: (_, row) => row === null || row === undefined ? 'frame \u2013' : `frame ${row}, ${time(row)} s`},
        ...lines,
      ],
      hooks: {
        drawClear: [(made) => this.drawMarks(made, series.marks)],
        setScale: [(made, key) => key === 'x' && this.zoomOthers(made)],
        setSeries: [(made, index, change) => change.show !== undefined && this.hideOthers(made, index)],
      },
    };
  }

  /** Shade the rows that findings are about. */
  drawMarks(made, marks) {
    made.ctx.fillStyle = colour('--shade');
    for (const [first, last] of marks) {
      const left = made.valToPos(first, 'x', true), right = made.valToPos(last, 'x', true);
      const begin = Math.max(left - 2, made.bbox.left), end = Math.min(right + 2, made.bbox.left + made.bbox.width);
      if (end > begin) made.ctx.fillRect(begin, made.bbox.top, end - begin, made.bbox.height);
    }
  }

  zoomOthers(made) {
    const {min, max} = made.scales.x;
    for (const other of this.plots)
      if (other !== made && (other.scales.x.min !== min || other.scales.x.max !== max))
        other.setScale('x', {min, max});
  }

  /** An element is hidden in all plots of the episode, state and action alike. */
  hideOthers(made, index) {
    if (index === null || index === undefined) return;
    const {label, show} = made.series[index];
    if (show) this.hidden.delete(label); else this.hidden.add(label);
    for (const other of this.plots) {
      const at = other.series.findIndex((one, place) => place > 0 && one.label === label);
      if (other !== made && at > 0 && other.series[at].show !== show) other.setSeries(at, {show});
      this.tellState(other);
    }
  }

  nameForReaders(made, title) {
    made.root.setAttribute('role', 'group');
    made.root.setAttribute('aria-label', `Plot of ${title}`);
    made.root.querySelectorAll('.u-series').forEach((line, index) => {
      if (index === 0) return;
      const name = line.querySelector('th');
      name.tabIndex = 0;
      name.setAttribute('role', 'button');
      name.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        name.click();
      });
    });
    this.tellState(made);
  }

  tellState(made) {
    made.root.querySelectorAll('.u-series').forEach((line, index) => {
      if (index > 0) line.querySelector('th').setAttribute('aria-pressed', String(made.series[index].show));
    });
  }
}

const plotsOf = new Map();
for (const container of document.querySelectorAll('.plots')) plotsOf.set(container, new EpisodePlots(container));

const visible = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const plots = plotsOf.get(entry.target);
    if (entry.isIntersecting) plots.make(); else plots.remove();
  }
}, {rootMargin: '600px'});
const resized = new ResizeObserver((entries) => {
  for (const entry of entries) plotsOf.get(entry.target).resize();
});
for (const container of plotsOf.keys()) {
  visible.observe(container);
  resized.observe(container);
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const plots of plotsOf.values()) {
    if (!plots.plots.length) continue;
    plots.remove();
    plots.make();
  }
});

const form = document.getElementById('filter');
const episodes = [...document.querySelectorAll('.episode')];

function isChosen(episode) {
  const kind = form.kind.value, task = form.task.value;
  const fits = kind === 'all' || (kind === 'findings' ? episode.dataset.findings !== '0' : episode.dataset.verdict === kind);
  return fits && (task === '' || episode.dataset.tasks.trim().split(' ').includes(task));
}

function choose() {
  for (const episode of episodes) episode.hidden = !isChosen(episode);
  const number = episodes.filter((episode) => !episode.hidden).length;
  form.querySelector('output').textContent = `${number} of ${episodes.length} shown`;
}

/** A link leads to an episode even if the filter has hidden it. */
function showTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target || !target.hidden) return;
  form.kind.value = 'all';
  form.task.value = '';
  choose();
  target.scrollIntoView();
}

form.hidden = false;
form.kind.addEventListener('change', choose);
form.task.addEventListener('change', choose);
form.episode.addEventListener('change', () => {
  if (document.getElementById(`episode-${form.episode.value}`)) location.hash = `episode-${form.episode.value}`;
});
form.addEventListener('submit', (event) => event.preventDefault());
addEventListener('hashchange', showTarget);
choose();
