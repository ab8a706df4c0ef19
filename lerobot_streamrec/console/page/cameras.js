// Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
// Live pictures of all cameras, with the first picture of a reference episode over them.

import { html, useEffect, useRef, useState } from './vendor/htm-preact.module.js';
import { previews } from './link.js';

const STALE_MS = 2000;

/** The newest picture of a stream, drawn as it arrives. */
export function LivePicture({ stream, label }) {
  const canvas = useRef(null);
  const [look, setLook] = useState('waiting');
  useEffect(() => {
    let atMs = 0;
    let isOver = false;
    const end = previews.listen(stream, async (blob) => {
      const bitmap = await createImageBitmap(blob).catch(() => null);
      if (bitmap === null || isOver) return;
      const target = canvas.current;
      if (target.width !== bitmap.width || target.height !== bitmap.height) {
        target.width = bitmap.width;
        target.height = bitmap.height;
      }
      target.getContext('2d').drawImage(bitmap, 0, 0);
      bitmap.close();
      atMs = performance.now();
      setLook('live');
    });
    const timer = setInterval(() => {
      if (atMs && performance.now() - atMs > STALE_MS) setLook('stale');
    }, 500);
    return () => { isOver = true; end(); clearInterval(timer); };
  }, [stream]);
  return html`<div class="picture ${look}">
    <canvas ref=${canvas} width="320" height="240" role="img" aria-label=${`Live picture: ${label}`}></canvas>
    ${look !== 'live' && html`<p>${look === 'stale' ? 'No new picture' : 'Waiting for a picture'}</p>`}
  </div>`;
}

function Camera({ stream, ghost }) {
  return html`<figure class=${stream.level ? 'camera warn' : 'camera'}>
    <div class="frame"><${LivePicture} stream=${stream.name} label=${stream.name} />
      ${ghost.episode !== null && ghost.opacity > 0 && html`<img class="ghost" alt="" style=${`opacity:${ghost.opacity}`}
        src=${`/api/episodes/${ghost.episode}/${encodeURIComponent(stream.name)}.jpg?position=0&width=640`} />`}
    </div>
    <figcaption><b>${stream.name}</b><span>${stream.rate_hz === null ? '–' : `${stream.rate_hz.toFixed(1)} Hz`}</span></figcaption>
  </figure>`;
}

/** All cameras, and the choice of the reference episode. */
export function Cameras({ streams, lastEpisode }) {
  const [ghost, setGhost] = useState({ episode: null, opacity: 0.4 });
  const cameras = streams.filter((one) => one.kind !== 'vector');
  const isOn = ghost.episode !== null;
  if (!cameras.length) return null;
  return html`<section class="cameras" aria-label="Cameras">
    <div class="grid n${Math.min(cameras.length, 4)}">${cameras.map((one) => html`<${Camera} key=${one.key} stream=${one} ghost=${ghost} />`)}</div>
    <div class="ghosts">
      <label><input type="checkbox" checked=${isOn} disabled=${lastEpisode === null}
        onChange=${(event) => setGhost({ ...ghost, episode: event.target.checked ? lastEpisode : null })} />
        Lay the first picture of an episode over the live ones</label>
      ${isOn && html`<label>Episode <input type="number" min="0" max=${lastEpisode} value=${ghost.episode}
          onInput=${(event) => { const number = parseInt(event.target.value, 10); if (number >= 0 && number <= lastEpisode) setGhost({ ...ghost, episode: number }); }} /></label>
        <label>Strength <input type="range" min="0" max="1" step="0.05" value=${ghost.opacity}
          onInput=${(event) => setGhost({ ...ghost, opacity: Number(event.target.value) })} /></label>`}
    </div>
  </section>`;
}
