// Prometheus text as values, for comparing with what really happened.
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export class Metrics {
  readonly types = new Map<string, string>();
  readonly samples: Sample[] = [];

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const type = /^# TYPE (\S+) (\S+)$/.exec(line);
      if (type) this.types.set(type[1]!, type[2]!);
      if (!line || line.startsWith('#')) continue;
      const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*?)\})? (\S+)/.exec(line);
      if (!match) throw new Error(`not a sample: ${line}`);
      const labels: Record<string, string> = {};
      for (const [, key, value] of (match[2] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g))
        labels[key!] = value!;
      this.samples.push({name: match[1]!, labels, value: Number(match[3]!.replace('+Inf', 'Infinity'))});
    }
  }

  // The sum over all samples of that name with those labels; 0 when there is none.
  sum(name: string, labels: Record<string, string> = {}): number {
    let total = 0;
    for (const sample of this.samples)
      if (sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
        total += sample.value;
    return total;
  }
  has(name: string): boolean {
    return this.samples.some((sample) => sample.name === name);
  }
}
