// Copyright 2026 lerobot_streamrec contributors, license Apache-2.0
// Numbers and times as people read them.

/** Return a duration such as 1:04.5 */
export function clock(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  const tenths = Math.floor(Math.max(0, seconds) * 10);
  const minutes = Math.floor(tenths / 600);
  const rest = ((tenths % 600) / 10).toFixed(1).padStart(4, '0');
  return `${minutes}:${rest}`;
}

/** Return a number of minutes as words. */
export function span(minutes) {
  if (minutes === null || minutes === undefined) return '–';
  if (minutes < 1) return 'under a minute';
  if (minutes < 100) return `${Math.floor(minutes)} min`;
  const hours = minutes / 60;
  return hours < 48 ? `${Math.floor(hours)} h` : `${Math.floor(hours / 24)} days`;
}

/** Return a size in MiB as words. */
export function size(mib) {
  if (mib === null || mib === undefined) return '–';
  return mib < 1024 ? `${Math.round(mib)} MiB` : `${(mib / 1024).toFixed(mib < 10240 ? 1 : 0)} GiB`;
}

/** Return an age in seconds as words. */
export function age(seconds) {
  if (seconds === null || seconds === undefined) return 'never';
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds / 60)} min`;
}

/** Return a number with its noun, such as "3 episodes". */
export function count(number, noun) {
  return `${number ?? '–'} ${noun}${number === 1 ? '' : 's'}`;
}

/** Return hours as words, of less than one hour the minutes. */
export function hours(value) {
  return value < 1 ? `${Math.round(value * 60)} min` : `${value.toFixed(1)} h`;
}

/** Begin a sentence with a capital, unless it begins with a name such as observation.state. */
export function capital(text) {
  return /^[a-z]+\b(?![./_]| \()/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}
