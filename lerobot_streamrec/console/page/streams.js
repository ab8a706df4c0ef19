// Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
// The health of each stream as bars, and the newest numbers as small plots.

import { html, useEffect, useRef, useState } from './vendor/htm-preact.module.js';
import { previews } from './link.js';
import { age } from './words.js';

const SHOWN_S = 10;
const MAX_LINES = 8;
const LARGE_SKEW_MS = 50;

function Bar({ share, text, isBad, label }) {
  const percent = Math.max(0, Math.min(1, share)) * 100;
  return html`<td class=${isBad ? 'meter bad' : 'meter'} data-label=${label}><span class="track" aria-hidden="true"><span style=${`width:${percent}%`}></span></span><span class="value">${text}</span></td>`;
}

function Stream({ stream }) {
  const { rate_hz: rate, nominal_hz: nominal, age_s: ageS, max_skew_ms: skew } = stream;
  const gaps = (stream.missing || 0) + (stream.lost_in_transport || 0);
  const repeats = (stream.repeated_frames || 0) + (stream.stale_rows || 0);
  const share = nominal ? rate / nominal : rate ? 1 : 0;
  const isOld = ageS === null || ageS > Math.max(0.5, nominal ? 3 / nominal : 0.5);
  return html`<tr class=${stream.level ? 'warn' : ''}>
    <th scope="row"><span>${stream.name}</span><small>${stream.topic}</small></th>
    <${Bar} label="Rate" share=${share} text=${`${rate === null ? '–' : rate.toFixed(1)}${nominal ? ` / ${nominal.toFixed(0)}` : ''} Hz`} isBad=${share < 0.9} />
    <${Bar} label="Age" share=${ageS === null ? 0 : 1 - Math.min(1, ageS)} text=${age(ageS)} isBad=${isOld} />
    <${Bar} label="Gaps" share=${gaps / 10} text=${gaps} isBad=${gaps > 0} />
    <${Bar} label="Repeats" share=${repeats / 10} text=${repeats} isBad=${repeats > 0} />
    <${Bar} label="Skew" share=${(skew || 0) / LARGE_SKEW_MS} text=${skew === null ? '–' : `${skew.toFixed(0)} ms`} isBad=${skew > LARGE_SKEW_MS} />
    <td class="state" data-label="State">${stream.level ? stream.message : 'ok'}</td>
  </tr>`;
}

/** One row for each stream. */
export function Streams({ streams }) {
  if (!streams.length) return null;
  return html`<section class="streams"><h2>Streams</h2><div class="scroll"><table>
    <thead><tr><th scope="col">Stream</th><th scope="col">Rate</th><th scope="col">Age of the newest</th><th scope="col">Gaps</th>
      <th scope="col">Repeats</th><th scope="col">Largest skew</th><th scope="col">State</th></tr></thead>
    <tbody>${streams.map((one) => html`<${Stream} key=${one.key} stream=${one} />`)}</tbody>
  </table></div></section>`;
}

function draw(canvas, samples) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const style = getComputedStyle(canvas);
  const pen = canvas.getContext('2d');
  pen.scale(ratio, ratio);
  const last = samples[samples.length - 1];
  const all = samples.flatMap((one) => one.values.slice(0, MAX_LINES)).filter(Number.isFinite);
  const low = Math.min(...all);
  const span = Math.max(...all) - low || 1;
  pen.lineWidth = 1.75;
  pen.lineJoin = 'round';
  for (let line = 0; line < Math.min(last.values.length, MAX_LINES); line += 1) {
    pen.strokeStyle = style.getPropertyValue(`--line-${line}`);
    pen.beginPath();
    samples.forEach((one, at) => {
      const x = width * (1 + (one.stamp_s - last.stamp_s) / SHOWN_S);
      const y = 4 + (height - 8) * (1 - (one.values[line] - low) / span);
      if (at) pen.lineTo(x, y);
      else pen.moveTo(x, y);
    });
    pen.stroke();
  }
}

function Plot({ stream }) {
  const canvas = useRef(null);
  const [last, setLast] = useState(null);
  useEffect(() => {
    let samples = [];
    return previews.listen(stream.name, (sample) => {
      const before = samples[samples.length - 1];
      // A clock that was set back begins a new plot.
      if (before && sample.stamp_s < before.stamp_s) samples = [];
      samples = [...samples, sample].filter((one) => sample.stamp_s - one.stamp_s <= SHOWN_S);
      draw(canvas.current, samples);
      setLast(sample);
    });
  }, [stream.name]);
  const names = last ? last.names : [];
  return html`<figure class="plot"><figcaption><b>${stream.name}</b><span>last ${SHOWN_S} s${names.length > MAX_LINES ? `, first ${MAX_LINES} of ${names.length}` : ''}</span></figcaption>
    <canvas ref=${canvas} role="img" aria-label=${`Plot of ${stream.name}`}></canvas>
    <ul>${names.slice(0, MAX_LINES).map((name, line) => html`<li key=${name}><i style=${`background:var(--line-${line})`}></i>${name}<b>${last.values[line]?.toFixed(2)}</b></li>`)}</ul>
  </figure>`;
}

/** One small plot for each stream of numbers. */
export function Plots({ streams }) {
  const vectors = streams.filter((one) => one.kind === 'vector');
  if (!vectors.length) return null;
  return html`<section class="plots" aria-label="State and action">${vectors.map((one) => html`<${Plot} key=${one.key} stream=${one} />`)}</section>`;
}
