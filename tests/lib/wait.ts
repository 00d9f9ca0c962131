// Waiting for states, never for times: every wait polls or listens, and has a deadline that names what was waited for.
// A deadline is of the time in which this process could run: a machine that is busy with other work makes it later.

// Runs `work`; rejects with "no <what> within …" when it has not settled by the deadline.
export async function withDeadline<T>(ms: number, what: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      work(),
      new Promise<never>((_, reject) => {
        // An interval that could not be kept is not made up for.
        let left = 20;
        timer = setInterval(() => --left || reject(new Error(`no ${what} within ${ms} ms`)), ms / left);
      }),
    ]);
  } finally {
    clearInterval(timer);
  }
}

// Thrown by a probe: what is waited for cannot come any more.
export class Hopeless extends Error {}

// Calls `probe` until it gives something truthy, and gives that. A slow machine gets as many looks as a fast one,
// within five times the deadline.
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  ms = 10_000,
  every = 20,
): Promise<NonNullable<T>> {
  const begun = performance.now();
  let last: unknown;
  for (let looks = 1; ; ++looks) {
    try {
      const value = await probe();
      if (value) return value as NonNullable<T>;
      last = value;
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      last = error;
    }
    const waited = performance.now() - begun;
    if (waited >= 5 * ms || (waited >= ms && looks * every >= ms / 2))
      throw new Error(
        `not within ${ms} ms: ${what} (last: ${last instanceof Error ? last.message : JSON.stringify(last)})`,
      );
    await pause(every);
  }
}

// For spans of time that are themselves what is tested (a pause between two fragments, a load's duration).
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

// How late a timer of this process was at most since it was made, in ms: what a busy machine adds to every time that is
// measured here. A bound on a time that must hold on any machine is the promise plus this.
export class Lateness {
  private most = 0;
  private last = performance.now();
  private readonly timer = setInterval(() => this.look(), 10).unref();
  private look(): void {
    const now = performance.now();
    this.most = Math.max(this.most, now - this.last - 10);
    this.last = now;
  }
  stop(): number {
    this.look();
    clearInterval(this.timer);
    return this.most;
  }
}

// Runs `tasks`, at most `width` at a time, in order.
export async function pool(width: number, tasks: (() => Promise<void>)[]): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < tasks.length) await tasks[next++]!();
  };
  await Promise.all(Array.from({length: Math.min(width, tasks.length)}, worker));
}
