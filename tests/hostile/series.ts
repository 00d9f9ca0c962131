// Waiting times, in ms.
export interface Waits {
  count: number;
  p50: number;
  p99: number;
  worst: number;
}

export class Series {
  private values: number[] = [];
  add(ms: number): void {
    this.values.push(ms);
  }
  // What was added since the last time, and `open`: what is being waited for still, as long as it has been.
  take(open: number[] = []): Waits {
    const all = [...this.values, ...open].sort((a, b) => a - b);
    this.values = [];
    const at = (share: number): number => round(all[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0);
    return {count: all.length, p50: at(0.5), p99: at(0.99), worst: round(all[all.length - 1] ?? 0)};
  }
}
const round = (ms: number): number => Math.round(ms * 100) / 100;

// How late a timer of 5 ms is: what the machine adds to every time that this process measures.
export class Timer {
  private readonly late = new Series();
  private last = performance.now();
  constructor() {
    setInterval(() => {
      const now = performance.now();
      this.late.add(Math.max(0, now - this.last - 5));
      this.last = now;
    }, 5);
  }
  take(): Waits {
    return this.late.take([Math.max(0, performance.now() - this.last - 5)]);
  }
}
