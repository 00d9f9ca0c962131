// What uPlot does not draw by itself: bands between extremes, steps that are not whole, stretches nobody saw.
import type uPlot from 'uplot';
import type {Colors} from '../shell/theme';
import type {Series, Stretch} from './series';

/** The band of lowest to highest around a line, behind it. */
export function paintBand(u: uPlot, one: Series, color: Colors): void {
  const band = one.band;
  if (!band) return;
  const {ctx} = u,
    times = u.data[0];
  ctx.save();
  clip(u);
  ctx.fillStyle = color(one.color);
  ctx.globalAlpha = 0.2;
  let run: number[] = [];
  const flush = (): void => {
    if (run.length > 0) {
      ctx.beginPath();
      const y = (value: number) => u.valToPos(value, 'y', true);
      const x = (i: number) => u.valToPos(times[i]!, 'x', true);
      for (const i of run) ctx.lineTo(x(i), y(band.high[i]!));
      for (const i of run.reverse()) ctx.lineTo(x(i), y(band.low[i]!));
      ctx.closePath();
      ctx.fill();
    }
    run = [];
  };
  for (let i = 0; i < times.length; i++) {
    const known = (band.low[i] ?? null) !== null && (band.high[i] ?? null) !== null;
    if (known) run.push(i);
    else flush();
  }
  flush();
  ctx.restore();
}

/** Veils the step at `index`: what stands there is not all that will, or was. */
export function paintPartial(u: uPlot, index: number, color: Colors): void {
  const times = u.data[0],
    at = times[index];
  if (at === undefined) return;
  const before = times[index - 1],
    after = times[index + 1];
  const half = ((after !== undefined ? after - at : before !== undefined ? at - before : 0) || 60) / 2;
  area(u, at - half, at + half, (low, width, top, height) => {
    u.ctx.fillStyle = color('--surface');
    u.ctx.globalAlpha = 0.5;
    u.ctx.fillRect(low, top, width, height);
    u.ctx.globalAlpha = 1;
    hatch(u.ctx, low, top, width, height, color('--line-strong'));
  });
}

/** A stretch of which figures are missing. */
export function paintGap(u: uPlot, gap: Stretch, color: Colors): void {
  area(u, gap.from / 1000, gap.to / 1000, (low, width, top, height) => {
    const strip = gap.part ? Math.round(5 * devicePixelRatio) : height;
    u.ctx.fillStyle = color('--warn-soft');
    u.ctx.fillRect(low, top + height - strip, width, strip);
    hatch(u.ctx, low, top + height - strip, width, strip, color('--warn-line'));
  });
}

function area(
  u: uPlot,
  from: number,
  to: number,
  paint: (left: number, width: number, top: number, height: number) => void,
): void {
  const {left, top, width, height} = u.bbox;
  const low = Math.max(left, u.valToPos(from, 'x', true)),
    high = Math.min(left + width, Math.max(u.valToPos(to, 'x', true), low + 2 * devicePixelRatio));
  if (high <= low) return;
  u.ctx.save();
  u.ctx.beginPath();
  u.ctx.rect(low, top, high - low, height);
  u.ctx.clip();
  paint(low, high - low, top, height);
  u.ctx.restore();
}

function clip(u: uPlot): void {
  const {left, top, width, height} = u.bbox;
  u.ctx.beginPath();
  u.ctx.rect(left, top, width, height);
  u.ctx.clip();
}

function hatch(
  ctx: CanvasRenderingContext2D,
  left: number,
  top: number,
  width: number,
  height: number,
  stroke: string,
): void {
  ctx.strokeStyle = stroke;
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  for (let x = left - height; x < left + width; x += 6 * devicePixelRatio) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
}
