// Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
// The console's page: it shows one recorder, and sends commands to it.

import { html, render, useEffect, useMemo, useState } from './vendor/htm-preact.module.js';
import { Follower } from './link.js';
import { actionOf, actionsFor, Answer, Controls, NoteDialog, Notices, Phase, Question, Reserves, Task } from './operate.js';
import { Cameras } from './cameras.js';
import { Episodes } from './episodes.js';
import { Plots, Streams } from './streams.js';
import { Setup, Written } from './setup.js';

const FIELDS = 'input, textarea, select, dialog[open], [contenteditable]';

function Lost({ refusal }) {
  return html`<div class="lost" role="alert"><b>The connection to the console is lost.</b>
    <span>${refusal || 'Recording goes on without this page. It connects again by itself.'}</span></div>`;
}

function Unheard({ state }) {
  return html`<div class="lost" role="alert"><b>No recorder is heard as ${state.recorder}.</b>
    <span>Is it running, in this ROS_DOMAIN_ID and namespace? This page shows it as soon as it is there.</span></div>`;
}

function App() {
  const [, redraw] = useState(0);
  const follower = useMemo(() => new Follower(() => redraw((one) => one + 1)), []);
  const [task, setTask] = useState(null);
  const [note, setNote] = useState(null);
  const [question, setQuestion] = useState(null);
  const [written, setWritten] = useState(null);
  const { state, isLost } = follower;
  const typed = task === null ? '' : task.trim();
  const actions = state && actionsFor(state, typed);
  const command = (text) => follower.command(text);
  const run = (action) => {
    if (action.not) return;
    if (action.isAsked) setQuestion(action);
    else command(action.command);
  };

  useEffect(() => {
    if (state && task !== null && task.trim() === state.task) setTask(null);
  }, [state?.task, task]);

  useEffect(() => {
    document.title = state ? `${isLost ? 'No connection' : state.phase} – recorder` : 'Recorder';
    const press = (event) => {
      const isTyping = event.target.closest?.(FIELDS) || note !== null || question !== null;
      if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || isTyping || !actions || state.mode === 'setup') return;
      // A button with the focus reacts to the space bar by itself.
      if (event.key === ' ' && event.target.closest?.('button, a, summary')) return;
      const action = actionOf(event.key, actions);
      if (!action && event.key.toLowerCase() !== 'n') return;
      event.preventDefault();
      if (action) run(action);
      else setNote({ episode: null });
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  });

  if (!state) return html`<div>${isLost && html`<${Lost} refusal=${follower.refusal} />`}<p class="loading">Connecting to the console …</p></div>`;
  if (state.mode === 'setup') return html`<main>${isLost && html`<${Lost} refusal=${follower.refusal} />`}<${Setup} onWritten=${setWritten} /></main>`;
  const isRunning = ['recording', 'paused'].includes(state.phase);
  const current = isRunning ? state.episode_index : null;
  const last = state.saved_episodes ? state.saved_episodes - 1 : null;
  const subject = note && (note.episode ?? current ?? last);
  return html`<main class=${isLost || !state.connected ? 'stale' : ''}>
    ${isLost ? html`<${Lost} refusal=${follower.refusal} />` : !state.connected && html`<${Unheard} state=${state} />`}
    ${written && html`<${Written} written=${written} onClose=${() => setWritten(null)} />`}
    <h1 class="hidden">Recorder ${state.recorder}</h1>
    <div class="cockpit">
      <div class="left">
        <${Phase} state=${state} arrivedMs=${follower.arrivedMs} isLost=${isLost || !state.connected} />
        <${Notices} state=${state} task=${typed} />
        <${Cameras} streams=${state.streams} lastEpisode=${last} />
      </div>
      <div class="right">
        <${Task} state=${state} task=${task} setTask=${setTask} />
        <${Controls} actions=${actions} run=${run} writeNote=${() => setNote({ episode: null })} />
        <${Answer} events=${follower.events} sent=${follower.sent} />
        <${Reserves} state=${state} />
      </div>
    </div>
    <${Plots} streams=${state.streams} />
    <${Streams} streams=${state.streams} />
    <${Episodes} state=${state} command=${command} writeNote=${(episode) => setNote({ episode })} undo=${{ ...actions.undo, run: () => run(actions.undo) }} />
    <footer><p>${state.recorder} · ${state.root}</p>${state.encoders && html`<p>${state.encoders}</p>`}</footer>
    ${note && html`<${NoteDialog} subject=${subject === null ? 'the episode' : `episode ${subject}`} onDone=${(text) => {
      setNote(null);
      if (text) command(note.episode === null ? `note ${text}` : `note ${note.episode}: ${text}`);
    }} />`}
    ${question && html`<${Question} text=${`Take episode ${last} out of the dataset? Its files are set aside, and “finalize” deletes them.`} yes="Take it out" onAnswer=${(isYes) => {
      setQuestion(null);
      if (isYes) command(question.command);
    }} />`}
  </main>`;
}

const place = document.getElementById('app');
place.textContent = '';
render(html`<${App} />`, place);
