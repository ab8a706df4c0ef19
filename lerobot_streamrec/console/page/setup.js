// Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
// The first run: what the graph offers, and what of it is recorded.

import { html, useEffect, useRef, useState } from './vendor/htm-preact.module.js';
import { get, post } from './link.js';
import { age } from './words.js';

const LOOK_MS = 1000;
const ROLES = { state: 'state', action: 'action', feature: 'another feature', none: 'not recorded' };

function Problems({ problems }) {
  if (!problems.length) return null;
  return html`<ul class="trouble">${problems.map((one) => html`<li><b>${one.text}</b> ${one.help}</li>`)}</ul>`;
}

function facts(stream) {
  const parts = [stream.topic, `${stream.rate_hz === null ? '–' : stream.rate_hz.toFixed(1)} Hz`];
  if (stream.width) parts.push(`${stream.width} × ${stream.height}`);
  if (stream.delay_ms !== null && stream.delay_ms !== undefined) parts.push(`${age(stream.delay_ms / 1000)} late`);
  return parts.join(' · ');
}

function Camera({ camera, choice, choose, beat }) {
  return html`<li class=${choice.chosen ? 'offer' : 'offer left'}>
    ${camera.has_picture ? html`<img alt=${`Newest picture of ${camera.topic}`} width="320" height="240" src=${`/api/setup/picture/${encodeURIComponent(camera.id)}.jpg?beat=${beat}`} />`
      : html`<div class="none">No picture has come yet</div>`}
    <label class="tick"><input type="checkbox" checked=${choice.chosen} onChange=${(event) => choose({ chosen: event.target.checked })} /> Record</label>
    <label>Name <input value=${choice.name} disabled=${!choice.chosen} onInput=${(event) => choose({ name: event.target.value })} /></label>
    <label class="tick"><input type="checkbox" checked=${choice.is_depth} disabled=${!choice.chosen} onChange=${(event) => choose({ is_depth: event.target.checked })} /> Depth</label>
    <p class="dim">${facts(camera)}</p>${choice.measured && html`<p>Delay: ${choice.measured}</p>`}<${Problems} problems=${camera.problems} />
  </li>`;
}

function Vector({ vector, choice, choose }) {
  return html`<li class=${choice.role === 'none' ? 'offer left' : 'offer'}>
    <label>Record as <select value=${choice.role} onChange=${(event) => choose({ role: event.target.value })}>
      ${Object.entries(ROLES).map(([role, text]) => html`<option value=${role}>${text}</option>`)}</select></label>
    ${choice.role === 'feature' && html`<label>Name <input value=${choice.name} onInput=${(event) => choose({ name: event.target.value })} /></label>`}
    <p class="dim">${facts(vector)} · ${vector.moves ? 'moves' : 'does not move yet'}</p>
    <ul class="values">${vector.names.map((name, at) => html`<li key=${name}>${name}<b>${Number.isFinite(vector.values[at]) ? vector.values[at].toFixed(2) : '–'}</b></li>`)}</ul>
    <${Problems} problems=${vector.problems} />
  </li>`;
}

/** What has become of the set-up, above the page of the recorder. */
export function Written({ written, onClose }) {
  return html`<section class="written" role="status"><h2>The set-up is saved, and the recorder starts with it</h2>
    <p>The file is <code>${written.file}</code></p><p>Start the next time with <code>${written.how}</code></p>
    <p class="buttons"><button type="button" onClick=${onClose}>Close</button></p></section>`;
}

/** The page of the first run. */
export function Setup({ onWritten }) {
  const [offer, setOffer] = useState(null);
  const [edits, setEdits] = useState({});
  const [error, setError] = useState(null);
  const [beat, setBeat] = useState(0);
  const [isMeasuring, setMeasuring] = useState(false);
  const isBusy = useRef(false);
  useEffect(() => {
    const look = async () => {
      if (isBusy.current) return;
      isBusy.current = true;
      await get('/api/setup').then(setOffer).catch((problem) => setError({ error: problem.message }));
      isBusy.current = false;
      setBeat((one) => one + 1);
    };
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  if (!offer) return html`<p class="loading">Looking at the robot …</p>`;
  // What the user has changed stays, while the rest follows the graph.
  const choiceOf = (one) => ({ ...one, ...(edits[one.id] || {}) });
  const choose = (id) => (change) => setEdits({ ...edits, [id]: { ...(edits[id] || {}), ...change } });
  const setting = (name) => edits[name] ?? offer[name];
  const set = (name) => (event) => setEdits({ ...edits, [name]: event.target.value });
  const send = async (path) => {
    setError(null);
    try {
      return await post(path, {
        fps: Number(setting('fps')), task: setting('task'), root: setting('root'), repo_id: setting('repo_id'),
        cameras: offer.cameras.map(choiceOf).map(({ id, chosen, name, is_depth, offset_ms = 0 }) => ({ id, chosen, name, is_depth, offset_ms })),
        vectors: offer.vectors.map(choiceOf).map(({ id, role, name }) => ({ id, role, name })),
      });
    } catch (problem) {
      setError({ error: problem.message, field: problem.field });
      return null;
    }
  };
  const save = async (event) => {
    event.preventDefault();
    const written = await send('/api/setup');
    if (written) onWritten(written);
  };
  const measure = async () => {
    setMeasuring(true);
    const answer = await send('/api/setup/latency');
    setMeasuring(false);
    if (!answer) return;
    // The names are those that were sent; what the user has changed since stays.
    const found = offer.cameras.map(choiceOf).map((one) => [one.id, answer.cameras[one.name.trim()]]).filter(([, one]) => one);
    setEdits((now) => ({ ...now, ...Object.fromEntries(found.map(([id, one]) => [id, { ...(now[id] || {}), offset_ms: one.offset_ms ?? 0, measured: one.text }])) }));
  };
  const isWrong = (name) => (error?.field === name ? 'true' : undefined);
  return html`<form class="setup" onSubmit=${save}>
    <header><h2>Set up this robot</h2><p>${offer.reason}</p></header>
    <${Problems} problems=${offer.problems} />
    <section><h3>Cameras</h3>${offer.cameras.length === 0 && html`<p class="dim">No camera is publishing yet. Start its driver; it appears here by itself.</p>`}
      ${offer.cameras.length > 0 && html`<p class="buttons"><button type="button" disabled=${isMeasuring} onClick=${measure}>Measure delays</button><span class="dim" role="status">${isMeasuring
        ? 'Now move one joint back and forth in view of the cameras, at a changing pace, until the delays are shown.' : 'Drivers stamp pictures late. To find out by how much, move the robot for ten seconds.'}</span></p>`}
      <ul class="offers">${offer.cameras.map((one) => html`<${Camera} key=${one.id} camera=${one} choice=${choiceOf(one)} choose=${choose(one.id)} beat=${beat} />`)}</ul></section>
    <section><h3>State and action</h3><p class="dim">Choose the same for several topics, such as two arms, and they form one vector, in this order.</p>${offer.vectors.length === 0 && html`<p class="dim">No topic with numbers is publishing yet.</p>`}
      <ul class="offers vectors">${offer.vectors.map((one) => html`<${Vector} key=${one.id} vector=${one} choice=${choiceOf(one)} choose=${choose(one.id)} />`)}</ul></section>
    <section class="fields"><h3>Dataset</h3>
      <label>Rows per second <input type="number" min="1" max="1000" value=${setting('fps')} aria-invalid=${isWrong('fps')} onInput=${set('fps')} /></label>
      <label>Task <input value=${setting('task')} placeholder="Pick up the cube" aria-invalid=${isWrong('task')} onInput=${set('task')} /></label>
      <label>Folder <input value=${setting('root')} aria-invalid=${isWrong('root')} onInput=${set('root')} /></label>
      <label>Name on the Hub <input value=${setting('repo_id')} aria-invalid=${isWrong('repo_id')} onInput=${set('repo_id')} /></label>
    </section>
    ${error && html`<p class="notice error" role="alert">${error.error}</p>`}
    <p class="buttons"><button type="submit" class="primary" disabled=${isMeasuring}>Save and get ready</button><span class="dim">writes ${offer.file}</span></p>
  </form>`;
}
