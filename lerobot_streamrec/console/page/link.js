// Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
// The page's connection to the console: state and events, previews, and commands.

const STALE_MS = 3000;
const RETRY_MS = 1500;
const MAX_EVENTS = 50;

/** Send JSON and return the answer; throws an Error with the console's sentence. */
export async function post(path, body) {
  const answer = await ask(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  return answer.json();
}

/** Return the JSON of a path; throws an Error with the console's sentence. */
export async function get(path) {
  return (await ask(path)).json();
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error('The console cannot be reached.');
  }
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}));
    const error = new Error(body.error || `The console answered ${answer.status} to ${path}.`);
    error.field = body.field;
    throw error;
  }
  return answer;
}

/** Follows the recorder's state. `changed` is called after each change. */
export class Follower {
  constructor(changed) {
    this.state = null;
    this.arrivedMs = 0;
    this.events = [];
    this.sent = null;
    this.isLost = false;
    this.refusal = '';
    this._changed = changed;
    this._connect();
    setInterval(() => this._look(), 500);
  }

  _connect() {
    // The console repeats its last events to every new connection.
    const source = new EventSource('/api/state');
    let isFirst = true;
    source.addEventListener('open', () => { isFirst = true; });
    source.addEventListener('event', (message) => {
      if (isFirst) this.events = [];
      isFirst = false;
      this._hear(JSON.parse(message.data));
    });
    source.addEventListener('state', (message) => {
      this.state = JSON.parse(message.data);
      this.arrivedMs = performance.now();
      this.isLost = false;
      this.refusal = '';
      isFirst = false;
      this._changed();
    });
    source.addEventListener('error', () => {
      // A browser gives up by itself only if it got an answer, such as a refusal.
      if (source.readyState !== EventSource.CLOSED) return;
      get('/api/episodes?limit=1').catch((error) => { this.refusal = error.message; });
      setTimeout(() => this._connect(), RETRY_MS);
    });
  }

  _look() {
    const isLost = performance.now() - this.arrivedMs > STALE_MS;
    const isWaiting = this.sent !== null;
    if (isLost !== this.isLost || isLost || isWaiting) {
      this.isLost = isLost;
      this._changed();
    }
  }

  _hear(event) {
    this.events = [...this.events, { ...event, id: `${Math.random()}` }].slice(-MAX_EVENTS);
    if (this.sent) this.sent = null;
    this._changed();
  }

  /** Send a command; its answer comes as an event. */
  async command(text) {
    this.sent = { text, atMs: performance.now() };
    this._changed();
    try {
      await post('/api/command', { command: text });
    } catch (error) {
      this._hear({ time: '', source: 'console', verb: text, success: false, message: error.message, episode: null });
    }
  }
}

/** Receives pictures and numbers of the streams that somebody looks at. */
class Previews {
  constructor() {
    this._listeners = new Map();
    this._socket = null;
    document.addEventListener('visibilitychange', () => this._select());
  }

  /** Call `listener` with each picture (a Blob) or sample of a stream; returns a function that ends it. */
  listen(stream, listener) {
    const ones = this._listeners.get(stream) || new Set();
    ones.add(listener);
    this._listeners.set(stream, ones);
    if (this._socket) this._select();
    else this._connect();
    return () => {
      ones.delete(listener);
      if (!ones.size) this._listeners.delete(stream);
      this._select();
    };
  }

  _connect() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/api/previews`);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this._select();
    socket.onmessage = (message) => this._hear(message.data);
    socket.onclose = () => setTimeout(() => this._connect(), RETRY_MS);
    this._socket = socket;
  }

  _select() {
    if (this._socket?.readyState !== WebSocket.OPEN) return;
    const streams = document.hidden ? [] : [...this._listeners.keys()];
    this._socket.send(JSON.stringify({ streams }));
  }

  _hear(data) {
    if (typeof data === 'string') {
      const sample = JSON.parse(data);
      this._tell(sample.stream, sample);
      return;
    }
    const length = new Uint8Array(data, 0, 1)[0];
    const stream = new TextDecoder().decode(new Uint8Array(data, 1, length));
    this._tell(stream, new Blob([new Uint8Array(data, 1 + length)], { type: 'image/jpeg' }));
  }

  _tell(stream, content) {
    for (const listener of this._listeners.get(stream) || []) listener(content);
  }
}

export const previews = new Previews();
