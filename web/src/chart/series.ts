// What a chart is told, and the words for it.

export interface Series {
  label: string;
  color: string; // a CSS variable
  values: (number | null)[];
  dash?: boolean;
  fill?: boolean;
  /** Lowest and highest within each step, beside its mean: drawn as a band. */
  band?: {low: readonly (number | null)[]; high: readonly (number | null)[]};
  /** The figure that stands for the line while no moment is pointed at; without one, its latest value or its total. */
  whole?: number | null;
}

/** A stretch of which nothing, or not everything, is known. Unix ms. */
export interface Stretch {
  from: number;
  to: number;
  /** A part of what is shown went unseen, not all of it: a strip at the foot. */
  part?: boolean;
}

/** Sums from the bottom up; null counts as nothing unless all are null. */
export function stack(series: readonly Series[]): (number | null)[][] {
  const length = series[0]?.values.length ?? 0;
  const sums: (number | null)[] = new Array<number | null>(length).fill(null);
  return series.map((one) => {
    for (let i = 0; i < length; i++) {
      const value = one.values[i] ?? null;
      if (value !== null) sums[i] = (sums[i] ?? 0) + value;
    }
    return sums.slice();
  });
}

/** The same for bars, where nothing of a kind is no bar: one of no height would still be a line along the axis. */
export function bars(series: readonly Series[]): (number | null)[][] {
  return stack(series).map((sums, of) => sums.map((sum, i) => (series[of]!.values[i] ? sum : null)));
}

/** Where a line has a value between two gaps: nothing but a dot shows it. */
export function lonely(values: ArrayLike<number | null | undefined>): number[] {
  const out: number[] = [];
  const there = (i: number): boolean => values[i] !== null && values[i] !== undefined;
  for (let i = 0; i < values.length; i++) if (there(i) && !there(i - 1) && !there(i + 1)) out.push(i);
  return out;
}

export function latest(values: readonly (number | null)[]): number | null {
  for (let i = values.length - 1; i >= 0; i--) if (values[i] !== null && values[i] !== undefined) return values[i]!;
  return null;
}

/** null when nothing is known of any step. */
export function total(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>((sum, one) => (one === null ? sum : (sum ?? 0) + one), null);
}

/** What the legend says of a series: at a step, or else of the whole. */
export function figure(one: Series, index: number | null, counts: boolean): number | null {
  if (index !== null) return one.values[index] ?? null;
  if (one.whole !== undefined) return one.whole;
  // Bars count what happened: their total says more than the last bar.
  return counts ? total(one.values) : latest(one.values);
}

/** One step in words, for whoever moves through the chart with keys. */
export function reading(
  series: readonly Series[],
  index: number,
  format: (value: number) => string,
  partial: boolean,
): string {
  const parts = series.map((one) => {
    const value = one.values[index] ?? null,
      low = one.band?.low[index] ?? null,
      high = one.band?.high[index] ?? null;
    if (value === null) return `${one.label.trim()}: no data`;
    const between = low !== null && high !== null && low < high ? `, between ${format(low)} and ${format(high)}` : '';
    return `${one.label.trim()}: ${format(value)}${between}`;
  });
  return `${parts.join('; ')}${partial ? '; not a whole step' : ''}`;
}

/** One sentence a screen reader can say instead of the picture. */
export function summary(title: string, series: readonly Series[], format: (value: number) => string): string {
  const parts: string[] = [];
  for (const one of series) {
    let low = Infinity,
      high = -Infinity;
    one.values.forEach((value, i) => {
      if (value === null) return;
      low = Math.min(low, one.band?.low[i] ?? value);
      high = Math.max(high, one.band?.high[i] ?? value);
    });
    const last = latest(one.values);
    parts.push(
      last === null
        ? `${one.label}: no data`
        : `${one.label}: latest ${format(last)}, lowest ${format(low)}, highest ${format(high)}`,
    );
  }
  return `${title}. ${parts.join('; ')}.`;
}

/** Stretches joined where they touch or overlap, by time. */
export function joined(stretches: readonly Stretch[]): Stretch[] {
  const out: Stretch[] = [];
  for (const one of [...stretches].sort((a, b) => a.from - b.from)) {
    const last = out[out.length - 1];
    if (last && one.from <= last.to) last.to = Math.max(last.to, one.to);
    else out.push({...one});
  }
  return out;
}
