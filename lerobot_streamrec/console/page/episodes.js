// Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
// The list of recorded episodes, with verdicts, notes and the histogram of lengths.

import { html, useEffect, useState } from './vendor/htm-preact.module.js';
import { get } from './link.js';
import { clock, count, hours } from './words.js';

const PAGE_SIZE = 20;
const STRIP = [0, 0.33, 0.67, 1];
const VERDICTS = ['success', 'failure'];

function Histogram({ histogram }) {
  const { edges_s: edges, counts } = histogram;
  const most = Math.max(1, ...counts);
  const text = counts.map((number, at) => `${number} of ${edges[at]} to ${edges[at + 1]} s`).join(', ');
  return html`<figure class="histogram"><div role="img" aria-label=${`Lengths: ${text}`}>
    ${counts.map((number, at) => html`<span key=${at} title=${`${count(number, 'episode')} of ${edges[at]} to ${edges[at + 1]} s`}
      style=${`height:${(number / most) * 100}%`}></span>`)}</div>
    <figcaption><span>${edges[0]} s</span><span>lengths</span><span>${edges[edges.length - 1]} s</span></figcaption></figure>`;
}

function Strip({ episode }) {
  const [camera, setCamera] = useState(episode.cameras[0]);
  if (!camera) return html`<div class="strip"></div>`;
  return html`<div class="strip">
    ${STRIP.map((position) => html`<img key=${position} loading="lazy" decoding="async" width="160" height="120" alt=${`Episode ${episode.episode_index}, ${camera}, at ${Math.round(position * 100)} %`}
      src=${`/api/episodes/${episode.episode_index}/${encodeURIComponent(camera)}.jpg?position=${position}&width=160`} />`)}
    ${episode.cameras.length > 1 && html`<select aria-label="Camera" value=${camera} onChange=${(event) => setCamera(event.target.value)}>
      ${episode.cameras.map((one) => html`<option value=${one}>${one}</option>`)}</select>`}
  </div>`;
}

function Episode({ episode, command, writeNote }) {
  const { episode_index: index, verdict } = episode;
  const when = episode.recorded_at ? new Date(episode.recorded_at).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' }) : '';
  return html`<li class="episode">
    <${Strip} episode=${episode} />
    <div class="facts">
      <h3>Episode ${index} <span class="length">${clock(episode.seconds)}</span></h3>
      <p>${episode.tasks.join(' · ') || 'no task'}</p>
      <p class="dim">${[when, episode.operator && `by ${episode.operator}`, count(episode.length, 'row'),
        episode.repeated_frames ? count(episode.repeated_frames, 'repeated frame') : ''].filter(Boolean).join(' · ')}</p>
      ${episode.note && html`<p class="note">${episode.note}</p>`}
    </div>
    <div class="verdict" role="group" aria-label=${`Verdict of episode ${index}`}>
      ${VERDICTS.map((one) => html`<button key=${one} type="button" class=${one} aria-pressed=${verdict === one}
        title=${verdict === one ? 'Take the verdict back' : `Mark as ${one}`}
        onClick=${() => command(`verdict ${verdict === one ? 'none' : one} ${index}`)}>${one}</button>`)}
      <button type="button" onClick=${() => writeNote(index)}>note</button>
    </div>
  </li>`;
}

/** The episodes of the dataset, newest first. */
export function Episodes({ state, command, writeNote, undo }) {
  const [list, setList] = useState(null);
  const [size, setSize] = useState(PAGE_SIZE);
  const [error, setError] = useState('');
  useEffect(() => {
    let isOver = false;
    get(`/api/episodes?limit=${size}`)
      .then((found) => { if (!isOver) { setList(found); setError(''); } })
      .catch((problem) => { if (!isOver) setError(problem.message); });
    return () => { isOver = true; };
  }, [state.episodes_revision, state.root, size]);
  if (error) return html`<section class="episodes"><h2>Episodes</h2><p class="dim">${error}</p></section>`;
  if (!list) return null;
  if (!list.available) return html`<section class="episodes"><h2>Episodes</h2><p class="dim">${list.reason}</p></section>`;
  return html`<section class="episodes">
    <div class="head"><h2>Episodes</h2>
      <dl><div><dt>Today</dt><dd>${list.today.episodes}<small>${hours(list.today.hours)}</small></dd></div>
        <div><dt>In all</dt><dd>${list.all.episodes}<small>${hours(list.all.hours)}</small></dd></div></dl>
      ${list.histogram.counts.length > 0 && html`<${Histogram} histogram=${list.histogram} />`}
      <button type="button" class="undo" disabled=${Boolean(undo.not)} title=${undo.not || 'Take the last episode out of the dataset'} onClick=${undo.run}>Undo last</button>
    </div>
    ${list.total === 0 && html`<p class="dim">No episode has been saved in ${state.root} yet.</p>`}
    <ol>${list.episodes.map((one) => html`<${Episode} key=${`${one.episode_index} ${one.recorded_at}`} episode=${one} command=${command} writeNote=${writeNote} />`)}</ol>
    ${list.total > list.episodes.length && html`<button type="button" onClick=${() => setSize(size + PAGE_SIZE)}>Show earlier episodes</button>`}
    ${list.quarantined.length > 0 && html`<details class="quarantined"><summary>${count(list.quarantined.length, 'take')} set aside</summary>
      <ul>${list.quarantined.map((one) => html`<li key=${one.name}><b>${one.name}</b> <span>${one.reason}</span> <span class="dim">${one.at}</span></li>`)}</ul></details>`}
  </section>`;
}
