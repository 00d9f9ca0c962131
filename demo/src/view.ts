// Draws a Picture as a terminal screen. Pure: the same picture and width give the same text.
import {ending, who, type Change, type Line, type Picture} from './fleet.js';

const colour =
  (code: number) =>
  (text: string): string =>
    `\x1b[${code}m${text}\x1b[0m`;
const bold = colour(1),
  dim = colour(2),
  red = colour(31),
  green = colour(32),
  yellow = colour(33);

const columns: {title: string; width: number; of: (line: Line) => string}[] = [
  {title: 'session', width: 10, of: who},
  {title: 'state', width: 9, of: (l) => verdict(l).text},
  {title: 'age', width: 6, of: (l) => `${l.age_seconds.toFixed(0)} s`},
  {title: '→ msg/s', width: 8, of: (l) => rate(l.rate.c2s)},
  {title: '← msg/s', width: 8, of: (l) => rate(l.rate.s2c)},
  {title: '→ bytes', width: 8, of: (l) => bytes(l.bytes.c2s)},
  {title: '← bytes', width: 8, of: (l) => bytes(l.bytes.s2c)},
  {title: 'ping', width: 8, of: (l) => rtt(l.legs.client.rtt_seconds)},
  {title: 'missed', width: 6, of: (l) => String(l.legs.client.misses + l.legs.upstream.misses)},
];

function verdict(line: Line): {text: string; paint: (text: string) => string} {
  if (line.legs.client.misses + line.legs.upstream.misses > 0) return {text: 'no pong', paint: red};
  if (line.state !== 'open') return {text: line.state, paint: yellow};
  return line.rate.c2s + line.rate.s2c > 0 ? {text: 'talking', paint: green} : {text: 'quiet', paint: dim};
}

const rate = (perSecond: number): string => (perSecond === 0 ? '·' : perSecond.toFixed(perSecond < 10 ? 1 : 0));
const rtt = (seconds: number | null): string => (seconds === null ? '·' : `${(seconds * 1000).toFixed(1)} ms`);
function bytes(n: number): string {
  if (n < 1024) return `${n} B`;
  return n < 1024 * 1024 ? `${(n / 1024).toFixed(1)} K` : `${(n / 1024 / 1024).toFixed(1)} M`;
}

// The first column is left-aligned, numbers are right-aligned.
const cell = (text: string, width: number, left: boolean): string =>
  left ? text.slice(0, width).padEnd(width) : text.slice(0, width).padStart(width);

export function draw(picture: Picture, changes: Change[], width: number, height: number, legend: string[]): string {
  const out: string[] = [];
  const total = picture.live.reduce((sum, line) => sum + line.rate.c2s + line.rate.s2c, 0);
  out.push(
    bold('Sockeye') +
      `  ${picture.live.length} live sessions · ${total.toFixed(0)} messages/s · ` +
      `${picture.accepted} accepted · ${picture.missed === 0 ? '0' : red(String(picture.missed))} pongs missed`,
  );
  out.push('');
  out.push(dim(columns.map((c, i) => cell(c.title, c.width, i < 2)).join('  ')));
  for (const line of picture.live) {
    const {paint} = verdict(line);
    out.push(
      columns
        .map((c, i) => (i === 1 ? paint(cell(c.of(line), c.width, true)) : cell(c.of(line), c.width, i < 2)))
        .join('  '),
    );
  }
  out.push('', bold('What happened'));
  const room = Math.max(3, height - out.length - legend.length - 3);
  for (const change of changes.slice(-room))
    out.push(`${dim(time(change.at))}  ${change.bad ? red(change.text) : change.text}`);
  out.push('', ...legend.map(dim));
  return out.map((line) => clip(line, width)).join('\n');
}

export const time = (ms: number): string => new Date(ms).toTimeString().slice(0, 8);

// Cuts to `width` visible characters; colour codes take none.
function clip(line: string, width: number): string {
  let visible = 0;
  let out = '';
  for (const part of line.split(/(\x1b\[\d+m)/)) {
    if (part.startsWith('\x1b[')) out += part;
    else {
      const kept = part.slice(0, Math.max(0, width - visible));
      visible += kept.length;
      out += kept;
    }
  }
  return out;
}

// One line for a pipe or a log file.
export function summary(picture: Picture): string {
  const list = picture.live.map((line) => {
    const misses = line.legs.client.misses + line.legs.upstream.misses;
    return `${who(line)} ${rate(line.rate.c2s)}/${rate(line.rate.s2c)} msg/s${misses > 0 ? ` (${misses} missed)` : ''}`;
  });
  return `${time(picture.at)}  ${picture.live.length} live: ${list.join(', ')}`;
}

export {ending};
