// Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
// The upper part of the page: the phase, the buttons, the task, and what keeps an episode from starting.

import { html, useEffect, useRef, useState } from './vendor/htm-preact.module.js';
import { capital, clock, count, size, span } from './words.js';

const RUNNING = ['recording', 'paused'];
const PHASES = {
  idle: 'Not ready', ready: 'Ready', recording: 'Recording', paused: 'Paused',
  resetting: 'Reset the scene', done: 'Done', closed: 'Closed', unknown: 'Waiting',
};
const UNANSWERED_MS = 3000;
const LOW_HEAD_ROOM = 1.2;
const LOW_DISK_MINUTES = 30;

/** Return why no episode can start; a task that was typed here takes one reason away. */
export function blockersOf(state, task) {
  return task ? state.blockers.filter((one) => !one.startsWith('there is no task')) : state.blockers;
}

/** Return the buttons: what they send, their keys, and why they cannot be pressed now. */
export function actionsFor(state, task) {
  const { phase, saved_episodes: numSaved } = state;
  const isRunning = RUNNING.includes(phase);
  const isReset = phase === 'resetting';
  const newTask = task && task !== state.task ? ` ${task}` : '';
  const none = 'No episode is being recorded.';
  let notStart = '';
  if (isRunning) notStart = 'An episode is being recorded.';
  else if (blockersOf(state, task).length) [notStart] = blockersOf(state, task);
  else if (phase === 'closed') notStart = 'The recorder has ended.';
  const canEnd = isRunning || isReset ? '' : none;
  const toggle = { recording: 'pause', paused: 'resume' }[phase];
  return {
    start: { label: 'Start', key: toggle ? '' : 'space', command: `start${newTask}`, not: notStart },
    pause: toggle
      ? { label: capital(toggle), key: 'space', command: toggle, not: '' }
      : { label: 'Pause', key: '', command: 'pause', not: none },
    save: { label: isReset ? 'Next' : 'Save', key: '→', command: 'save', not: canEnd },
    success: { label: 'Success', key: '', command: 'save success', not: isRunning ? '' : none },
    failure: { label: 'Failure', key: '', command: 'save failure', not: isRunning ? '' : none },
    discard: { label: 'Discard', key: '←', command: 'discard', not: canEnd },
    rotate: { label: 'Save & next', key: 'R', command: `rotate${newTask}`, not: isRunning ? '' : none },
    intervene: state.takeover && {
      label: { human: 'Policy drives', 'taking over': 'I have it' }[state.takeover] || 'Intervene',
      key: 'I', command: 'intervene', not: '',
    },
    undo: {
      label: 'Undo last', key: 'U', command: 'undo', isAsked: true,
      not: isRunning ? 'An episode is being recorded.' : numSaved ? '' : 'No episode has been saved.',
    },
  };
}

/** Return the action of a key; undefined for a key without one. */
export function actionOf(key, actions) {
  switch (key) {
    case ' ': return actions.pause.not ? actions.start : actions.pause;
    case 'ArrowRight': return actions.save;
    case 'ArrowLeft': return actions.discard;
    case 'r': case 'R': return actions.rotate;
    case 'i': case 'I': return actions.intervene || undefined;
    case 'u': case 'U': return actions.undo;
    case 's': case 'S': return { command: 'verdict success', not: '' };
    case 'f': case 'F': return { command: 'verdict failure', not: '' };
    default: return undefined;
  }
}

/** Give up the focus after a click, so that the space bar does not press the same button again. */
function leave(event) {
  if (event.detail > 0) event.currentTarget.blur();
}

function Action({ action, run, look = '' }) {
  return html`<button type="button" class="action ${look}" disabled=${Boolean(action.not)} title=${action.not || action.command}
      onClick=${(event) => { leave(event); run(action); }}>
    <span>${action.label}</span>${action.key && html`<kbd>${action.key}</kbd>`}
  </button>`;
}

/** The phase and the time, readable from two metres. */
export function Phase({ state, arrivedMs, isLost }) {
  const [, tick] = useState(0);
  const isRecording = state.phase === 'recording' && !isLost;
  useEffect(() => {
    if (!isRecording) return undefined;
    const timer = setInterval(() => tick((one) => one + 1), 100);
    return () => clearInterval(timer);
  }, [isRecording]);
  // The recorder tells the time about once a second; the page counts on in between.
  const sinceS = isRecording ? Math.min(1.5, (state.age_s || 0) + (performance.now() - arrivedMs) / 1000) : 0;
  const isRunning = RUNNING.includes(state.phase);
  const left = state.phase_seconds_left;
  const phase = isLost ? 'unknown' : state.phase;
  return html`<section class="phase ${phase}" aria-label="Phase">
    <p class="name" role="status">${isLost ? 'No connection' : PHASES[phase] || capital(phase)}</p>
    <p class="time">${isRunning ? clock(state.seconds + sinceS) : left !== null ? clock(left) : ''}</p>
    <p class="detail">
      ${isRunning
        ? html`Episode ${state.episode_index} · ${count(state.rows, 'row')}${state.repeated_frames
            ? html` · <b>${count(state.repeated_frames, 'repeated frame')}</b>` : ''}`
        : html`${state.episode_index !== null ? `Next: episode ${state.episode_index}` : ''}`}
      ${state.takeover && state.takeover !== 'policy' ? html` · <b>${state.takeover === 'human' ? 'a human drives' : 'take hold of the leader'}</b>` : ''}
      ${state.subtask ? ` · ${state.subtask}` : ''}
      ${state.pending_episodes ? ` · saving ${state.pending_episodes}` : ''}
      ${state.unencoded_episodes ? ` · ${state.unencoded_episodes} to encode` : ''}
      ${state.automatic && state.automatic_count ? ` · automatic: ${state.automatic_count}` : ''}
    </p>
  </section>`;
}

/** The buttons. */
export function Controls({ actions, run, writeNote }) {
  return html`<section class="controls" aria-label="Episode">
    <${Action} action=${actions.start} run=${run} look="start" />
    <${Action} action=${actions.save} run=${run} look="save" />
    <${Action} action=${actions.rotate} run=${run} />
    <${Action} action=${actions.discard} run=${run} look="discard" />
    <div class="small">
      <${Action} action=${actions.success} run=${run} look="good" />
      <${Action} action=${actions.failure} run=${run} look="bad" />
      <${Action} action=${actions.pause} run=${run} />
      <${Action} action=${actions.undo} run=${run} />
      ${actions.intervene && html`<${Action} action=${actions.intervene} run=${run} />`}
      <button type="button" class="action" title="Add a note to this episode" onClick=${(event) => { leave(event); writeNote(); }}><span>Note</span><kbd>N</kbd></button>
    </div>
  </section>`;
}

/** The prompt for the next episode, with the tasks of before. */
export function Task({ state, task, setTask }) {
  const shown = task === null ? state.task : task;
  const isNew = task !== null && task !== state.task;
  return html`<section class="task">
    <label for="task">Task of the next episode</label>
    <input id="task" list="tasks" autocomplete="off" value=${shown} placeholder="Pick up the cube" onInput=${(event) => setTask(event.target.value)}
      onKeyDown=${(event) => { if (event.key === 'Enter' || event.key === 'Escape') event.target.blur(); }} />
    <datalist id="tasks">${(state.tasks || []).map((one) => html`<option value=${one}></option>`)}</datalist>
    ${isNew && html`<p class="hint">Applies from the next start or “save & next”.
      <button type="button" class="link" onClick=${() => setTask(null)}>Keep “${state.task || 'none'}”</button></p>`}
  </section>`;
}

/** The last answer of the recorder, where the operator looks. */
export function Answer({ events, sent }) {
  const last = events[events.length - 1];
  const isSlow = sent && performance.now() - sent.atMs > UNANSWERED_MS;
  let look = 'none';
  let text = 'Answers to commands appear here.';
  if (sent) {
    look = isSlow ? 'bad' : 'none';
    text = isSlow ? `The recorder has not answered “${sent.text}” yet.` : `“${sent.text}” was sent …`;
  } else if (last) {
    look = last.success ? 'good' : 'bad';
    text = last.message;
  }
  return html`<section class="answer ${look}" aria-label="Last answer">
    <p aria-live="polite"><span class="mark" aria-hidden="true">${{ good: '✓', bad: '!', none: '·' }[look]}</span>
      <span>${look === 'bad' && !isSlow ? html`<b>Refused or failed.</b> ` : ''}${text}</span></p>
    ${last && !sent && html`<p class="source">${last.verb} · ${last.source} · ${last.time}</p>`}
    ${events.length > 1 && html`<details><summary>Earlier answers</summary><ol reversed>
      ${events.slice(0, -1).reverse().slice(0, 20).map((one) => html`<li key=${one.id} class=${one.success ? 'good' : 'bad'}>
        <time>${one.time}</time> <b>${one.verb}</b> ${one.message} <i>${one.source}</i></li>`)}
    </ol></details>`}
  </section>`;
}

/** Texts that the operator must see: blockers before an episode, problems at any time. */
export function Notices({ state, task }) {
  const isRunning = RUNNING.includes(state.phase);
  const blockers = isRunning ? [] : blockersOf(state, task);
  const problems = state.problems.filter((one) => !blockers.includes(one));
  return html`<section class="notices" aria-live="polite">
    ${blockers.length > 0 && html`<div class="notice blockers"><h2>Before you can start</h2>
      <ul>${blockers.map((one) => html`<li>${capital(one)}</li>`)}</ul></div>`}
    ${state.level === 2 && html`<div class="notice error"><h2>This episode cannot be saved</h2><p>${state.message}</p></div>`}
    ${problems.length > 0 && html`<div class="notice warning"><h2>Warnings</h2>
      <ul>${problems.map((one) => html`<li>${capital(one)}</li>`)}</ul></div>`}
  </section>`;
}

/** The disk, the encoders and the dataset. */
export function Reserves({ state }) {
  const { head_room: room, disk_minutes_left: minutes } = state;
  return html`<section class="reserves" aria-label="Reserves"><dl>
    <div class=${minutes !== null && minutes < LOW_DISK_MINUTES ? 'low' : ''}><dt>Disk</dt>
      <dd>${minutes === null ? size(state.disk_free_mib) : span(minutes)}<small>${minutes === null ? 'free' : `left, ${size(state.disk_free_mib)} free`}</small></dd></div>
    <div class=${room !== null && room < LOW_HEAD_ROOM ? 'low' : ''}><dt>Encoder head-room</dt>
      <dd>${room === null ? '–' : `${room.toFixed(1)}×`}<small>${room === null ? 'known while recording' : room < LOW_HEAD_ROOM ? 'too slow' : 'faster than needed'}</small></dd></div>
    <div><dt>Episodes</dt><dd>${state.saved_episodes ?? '–'}<small>saved</small></dd></div>
  </dl></section>`;
}

/** A field for a note on an episode. */
export function NoteDialog({ subject, onDone }) {
  const field = useRef(null);
  const dialog = useRef(null);
  useEffect(() => { dialog.current.showModal(); field.current.focus(); }, []);
  return html`<dialog ref=${dialog} aria-labelledby="note-title" onClose=${() => onDone('')}>
    <form method="dialog" onSubmit=${(event) => { event.preventDefault(); onDone(field.current.value.trim()); }}>
      <h2 id="note-title">Note on ${subject}</h2>
      <textarea ref=${field} rows="3" maxlength="500" aria-label="Note"></textarea>
      <p class="buttons"><button type="submit" class="primary">Add the note</button>
        <button type="button" onClick=${() => onDone('')}>Cancel</button></p>
    </form></dialog>`;
}

/** A question before something is taken away. */
export function Question({ text, yes, onAnswer }) {
  const dialog = useRef(null);
  useEffect(() => { dialog.current.showModal(); }, []);
  return html`<dialog ref=${dialog} onClose=${() => onAnswer(false)}><p>${text}</p>
    <p class="buttons"><button type="button" class="danger" autofocus onClick=${() => onAnswer(true)}>${yes}</button>
      <button type="button" onClick=${() => onAnswer(false)}>Keep it</button></p></dialog>`;
}
