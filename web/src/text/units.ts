// Numbers as people read them: at most three figures that matter, always with a unit, in tabular figures.

const grouped = new Intl.NumberFormat('en-US', {maximumFractionDigits: 0});

/** Three significant figures, no trailing zeros: 0.123, 1.24, 12.4, 124. */
function figures(value: number): string {
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return trim(value.toFixed(1));
  if (size >= 1) return trim(value.toFixed(2));
  return trim(value.toFixed(3));
}
const trim = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

function scaled(value: number, base: number, units: readonly string[]): string {
  let index = 0,
    size = Math.abs(value);
  while (index + 1 < units.length && size >= base * 0.9995) {
    size /= base;
    index++;
  }
  const shown = figures(Math.sign(value) * size);
  return units[index] ? `${shown} ${units[index]}` : shown;
}

/** 1,234 up to 99,999; then 123 k, 1.2 M. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (Math.abs(value) < 100_000) return Number.isInteger(value) ? grouped.format(value) : figures(value);
  return scaled(value, 1000, ['', 'k', 'M', 'G', 'T']);
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (Math.abs(value) < 1000) return `${figures(value)} B`;
  return scaled(value, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
}

export function rate(value: number | null | undefined, unit = ''): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  if (value > 0 && value < 0.0005) return `< 0.001${unit && ` ${unit}`}/s`; // not none
  return `${unit === 'B' ? bytes(value) : value < 1000 ? figures(value) : scaled(value, 1000, ['', 'k', 'M', 'G'])}/s`;
}

/** Seconds: 12 µs, 340 ms, 1.24 s, 41 s, 3 m 12 s, 2 h 04 m, 3 d 4 h. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–';
  if (seconds < 0) return `−${duration(-seconds)}`;
  if (seconds === 0) return '0 s';
  if (seconds < 0.9995e-6) return `${figures(seconds * 1e9)} ns`;
  if (seconds < 0.9995e-3) return `${figures(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${figures(seconds * 1e3)} ms`;
  if (seconds < 59.95) return `${figures(seconds)} s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** What a person types for a duration ("300ms", "1.5 s", "2m", "0.3") → seconds; null when it is none. */
export function parseDuration(text: string): number | null {
  const found = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*(ns|us|µs|ms|s|m|min|h|d)?\s*$/i.exec(text);
  if (!found) return null;
  const factor: Record<string, number> = {
    ns: 1e-9,
    us: 1e-6,
    µs: 1e-6,
    ms: 1e-3,
    s: 1,
    m: 60,
    min: 60,
    h: 3600,
    d: 86_400,
  };
  return Number(found[1]) * (factor[(found[2] ?? 's').toLowerCase()] ?? 1);
}

export function percent(part: number, whole: number): string {
  return whole > 0 ? `${figures((100 * part) / whole)} %` : '–';
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** The first eight figures, by which a trace is found. */
export const shortTrace = (id: string): string => id.slice(0, 8);

/** The last eight figures: a UUIDv7 starts with the time, so its head is the same for all neighbours. */
export function shortId(id: string): string {
  return id.length > 10 ? id.slice(-8) : id;
}
