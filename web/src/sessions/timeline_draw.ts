// Draws the two lanes. The client's messages rise above the middle line, the server's hang below it; height grows with
// the logarithm of the length. Control frames sit at the outer edges; Sockeye's own
// are hollow, on the lane of the peer that they go to. Silence before the end
// is hatched, in red where pings went unanswered, and says how long it was.
import type {Colors} from '../shell/theme';
import {duration} from '../text/units';
import {preciseTime, time} from '../time/format';
import {silentMoment, type FellSilent} from './silence';
import {after, axisStep, type TimelineModel, type View} from './timeline_model';
import {legOf} from './words';

export const OVERVIEW = 26,
  AXIS = 22,
  HEIGHT = 236;
const TOP = OVERVIEW + 10,
  BOTTOM = HEIGHT - AXIS,
  MIDDLE = (TOP + BOTTOM) / 2,
  EDGE = 11;
const REACH = MIDDLE - TOP - 2 * EDGE - 4; // longest bar

function barHeight(length: number): number {
  return Math.min(REACH, 4 + ((REACH - 4) * Math.log10(1 + length)) / 6); // a megabyte fills the lane
}

interface Pen {
  context: CanvasRenderingContext2D;
  color: Colors;
}

export interface Drawing extends Pen {
  width: number;
  model: TimelineModel;
  view: View;
  chosen: number | null;
  selecting: [number, number] | null; // px
}

export function draw({context, color, width, model, view, chosen, selecting}: Drawing): void {
  const pen = {context, color};
  const scale = devicePixelRatio || 1;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, HEIGHT);
  context.font = '11px system-ui, sans-serif';
  const x = (ms: number) => ((ms - view.from) / (view.to - view.from)) * width;

  // What is not of this session, or not kept.
  context.fillStyle = color('--sunken');
  for (const [from, to] of [
    [view.from, model.from],
    [model.to, view.to],
  ] as const)
    if (to > from) context.fillRect(x(from), TOP, x(to) - x(from), BOTTOM - TOP);
  if (model.forgotten !== null && model.forgotten > view.from) {
    context.fillRect(Math.max(0, x(model.from)), TOP, x(model.forgotten) - Math.max(0, x(model.from)), BOTTOM - TOP);
    if (x(model.forgotten) > 130)
      label(pen, 'not recorded any more', x(model.forgotten) - 6, MIDDLE - 4, '--text-3', 'right');
  }

  axis(pen, width, view);
  context.fillStyle = color('--line-strong');
  context.fillRect(0, Math.round(MIDDLE) - 0.5, width, 1);

  model.silences.forEach((silence, side) => {
    if (!silence) return;
    const from = Math.max(0, x(silence[0])),
      to = Math.min(width, x(silence[1]));
    if (to - from < 2) return;
    const top = side === 0 ? TOP : MIDDLE + 1;
    const bad = model.alarming[side]!;
    hatch(pen, from, top, to - from, MIDDLE - TOP - 1, bad);
    const text = `${side === 0 ? 'client' : 'server'} silent for ${duration((silence[1] - silence[0]) / 1000)}`;
    if (to - from > 120)
      label(
        pen,
        text,
        (from + to) / 2,
        side === 0 ? TOP + (MIDDLE - TOP) / 2 + 4 : MIDDLE + (BOTTOM - MIDDLE) / 2 + 4,
        bad ? '--bad' : '--text-2',
        'center',
        true,
      );
  });

  if (model.fell) fell(pen, model.fell, x, width);
  messages(pen, width, model, view, x);
  edge(pen, x(model.from), 'opened', '--good-mark', width);
  if (chosen !== null && model.messages[chosen]) {
    const at = x(model.messages[chosen]!.time_ms);
    context.fillStyle = color('--accent');
    context.fillRect(Math.round(at) - 0.5, TOP, 1, BOTTOM - TOP);
    // On the lane that it is of, so that it is told from what came at the same time.
    const [base, tip] = legOf(model.messages[chosen]!) === 0 ? [TOP, TOP + 8] : [BOTTOM, BOTTOM - 8];
    context.beginPath();
    context.moveTo(at - 6, base);
    context.lineTo(at + 6, base);
    context.lineTo(at, tip);
    context.closePath();
    context.fill();
  }
  if (selecting) {
    context.globalAlpha = 0.16;
    context.fillStyle = color('--accent');
    context.fillRect(Math.min(...selecting), TOP, Math.abs(selecting[1] - selecting[0]), BOTTOM - TOP);
    context.globalAlpha = 1;
  }
  overview(pen, width, model, view);
}

function label(
  {context, color}: Pen,
  text: string,
  x: number,
  y: number,
  name: string,
  align: CanvasTextAlign,
  box = false,
): void {
  context.textAlign = align;
  if (box) {
    const half = context.measureText(text).width / 2 + 6;
    context.fillStyle = color('--surface');
    context.fillRect(x - half, y - 13, half * 2, 18);
  }
  context.fillStyle = color(name);
  context.fillText(text, x, y);
  context.textAlign = 'left';
}

function hatch({context, color}: Pen, left: number, top: number, width: number, height: number, bad: boolean): void {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.fillStyle = color(bad ? '--bad-soft' : '--surface');
  context.fillRect(left, top, width, height);
  context.strokeStyle = color(bad ? '--bad-line' : '--grid');
  context.lineWidth = 1;
  context.beginPath();
  for (let at = left - height - ((left - height) % 8); at < left + width; at += 8) {
    context.moveTo(at, top + height);
    context.lineTo(at + height, top);
  }
  context.stroke();
  context.restore();
}

function axis(pen: Pen, width: number, view: View): void {
  const {context, color} = pen;
  const step = axisStep(view.to - view.from, Math.max(2, width / 110));
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const x = ((at - view.from) / (view.to - view.from)) * width;
    context.fillStyle = color('--grid');
    context.fillRect(Math.round(x), TOP, 1, BOTTOM - TOP);
    const text = step < 1000 ? preciseTime(at).slice(-12) : step >= 86_400_000 ? time(at) : time(at).slice(-8);
    const half = context.measureText(text).width / 2;
    if (x - half >= 0 && x + half <= width) label(pen, text, x, HEIGHT - 7, '--text-3', 'center');
  }
}

/** On the lane of whom it was: between the last sign of life and the first ping without an answer. */
function fell(pen: Pen, its: FellSilent, x: (ms: number) => number, width: number): void {
  const {context, color} = pen;
  const top = its.leg === 0 ? TOP : MIDDLE + 1,
    height = MIDDLE - TOP - 1;
  const from = Math.max(0, x(its.from)),
    to = Math.min(width, Math.max(x(its.to), from + 2));
  if (to < 0 || from > width) return;
  context.globalAlpha = 0.25;
  context.fillStyle = color('--warn-mark');
  context.fillRect(from, top, to - from, height);
  context.globalAlpha = 1;
  const text = `fell silent ${silentMoment(its)}`;
  const room = context.measureText(text).width / 2 + 8,
    middle = Math.min(Math.max((from + to) / 2, room), width - room);
  label(pen, text, middle, its.leg === 0 ? top + 34 : top + height - 26, '--warn', 'center', true);
}

function edge(pen: Pen, x: number, text: string, name: string, width: number): void {
  const {context, color} = pen;
  if (x < 0 || x > width) return;
  context.fillStyle = color(name);
  context.fillRect(Math.round(x) - 1, TOP, 2, BOTTOM - TOP);
  label(pen, text, x + 5, BOTTOM - 4, '--text-2', 'left');
}

function messages(pen: Pen, width: number, model: TimelineModel, view: View, x: (ms: number) => number): void {
  const {context, color} = pen;
  const list = model.messages,
    first = after(list, view.from),
    end = after(list, view.to);
  const thick = Math.min(3, Math.max(1, (width / Math.max(1, end - first)) * 0.6));
  const client = color('--client'),
    server = color('--server');
  // Data first: at most one bar a pixel and side, the tallest, so a million messages cost a width.
  for (const side of [0, 1] as const) {
    context.fillStyle = side === 0 ? client : server;
    let column = -1,
      tallest = 0;
    const flush = () => {
      if (tallest > 0)
        context.fillRect(column - thick / 2, side === 0 ? MIDDLE - 1 - tallest : MIDDLE + 1, thick, tallest);
    };
    for (let i = first; i < end; i++) {
      const one = list[i]!;
      if (one.side !== side || one.type === 'ping' || one.type === 'pong' || one.type === 'close') continue;
      const at = Math.round(x(one.time_ms)),
        height = barHeight(one.length);
      if (at !== column) {
        flush();
        column = at;
        tallest = 0;
      }
      tallest = Math.max(tallest, height);
    }
    flush();
  }
  for (let i = first; i < end; i++) {
    const one = list[i]!,
      at = x(one.time_ms),
      top = legOf(one) === 0,
      y = top ? TOP + EDGE : BOTTOM - EDGE;
    if (one.type === 'ping') ping(pen, at, y, one.injected, model.lost.has(i));
    else if (one.type === 'pong') pong(pen, at, top ? y + 10 : y - 10);
    else if (one.type === 'close') {
      context.fillStyle = color('--bad-mark');
      context.fillRect(Math.round(at) - 1, top ? TOP : MIDDLE, 2, MIDDLE - TOP);
      label(
        pen,
        one.injected ? 'Close (proxy)' : 'Close',
        at - 5,
        top ? TOP + 10 : BOTTOM - 4,
        '--bad',
        'right',
        false,
      );
    }
  }
}

function ping({context, color}: Pen, x: number, y: number, injected: boolean, lost: boolean): void {
  context.lineWidth = 1.5;
  context.strokeStyle = context.fillStyle = color(lost ? '--bad-mark' : injected ? '--series-3' : '--text-3');
  context.beginPath();
  context.moveTo(x, y - 4.5);
  context.lineTo(x + 4.5, y);
  context.lineTo(x, y + 4.5);
  context.lineTo(x - 4.5, y);
  context.closePath();
  if (injected) context.stroke();
  else context.fill();
  if (!lost) return;
  context.beginPath();
  for (const sign of [-1, 1]) {
    context.moveTo(x - 8, y - 8 * sign);
    context.lineTo(x + 8, y + 8 * sign);
  }
  context.stroke();
}

function pong({context, color}: Pen, x: number, y: number): void {
  context.fillStyle = color('--text-3');
  context.beginPath();
  context.arc(x, y, 3.2, 0, 7);
  context.fill();
}

function overview({context, color}: Pen, width: number, model: TimelineModel, view: View): void {
  const x = (ms: number) => ((ms - model.from) / (model.to - model.from)) * width;
  context.fillStyle = color('--sunken');
  context.fillRect(0, 0, width, OVERVIEW);
  const columns = new Map<number, number>();
  for (const one of model.messages)
    columns.set(
      Math.round(x(one.time_ms)) * 2 + legOf(one),
      1 + (columns.get(Math.round(x(one.time_ms)) * 2 + legOf(one)) ?? 0),
    );
  let most = 1;
  for (const many of columns.values()) most = Math.max(most, many);
  for (const [key, many] of columns) {
    const side = key % 2,
      height = 2 + (OVERVIEW / 2 - 3) * Math.sqrt(many / most);
    context.fillStyle = color(side === 0 ? '--client' : '--server');
    context.fillRect(key >> 1, side === 0 ? OVERVIEW / 2 - height : OVERVIEW / 2, 1, height);
  }
  const left = Math.max(0, x(view.from)),
    right = Math.min(width, x(view.to));
  context.fillStyle = color('--canvas');
  context.globalAlpha = 0.65;
  context.fillRect(0, 0, left, OVERVIEW);
  context.fillRect(right, 0, width - right, OVERVIEW);
  context.globalAlpha = 1;
  context.strokeStyle = color('--accent');
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, 0.5, Math.max(2, right - left - 1), OVERVIEW - 1);
}
