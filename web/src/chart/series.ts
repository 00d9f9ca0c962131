// What a chart is told, and the words for it.

export interface Series {
  label: string;
  color: string; // a CSS variable
  values: (number | null)[];
  dash?: boolean;
  fill?: boolean;
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

/** One sentence a screen reader can say instead of the picture. */
export function summary(title: string, series: readonly Series[], format: (value: number) => string): string {
  const parts: string[] = [];
  for (const one of series) {
    let low = Infinity,
      high = -Infinity;
    for (const value of one.values)
      if (value !== null) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    const last = latest(one.values);
    parts.push(
      last === null
        ? `${one.label}: no data`
        : `${one.label}: latest ${format(last)}, lowest ${format(low)}, highest ${format(high)}`,
    );
  }
  return `${title}. ${parts.join('; ')}.`;
}
