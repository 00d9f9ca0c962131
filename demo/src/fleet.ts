// What the proxy says of itself, polled from its metrics port and turned into one picture plus a list of what changed.
export interface Leg {
  rtt_seconds: number | null;
  misses: number;
}
export interface SessionRow {
  id: string;
  target: string;
  state: string;
  age_seconds: number;
  messages: {c2s: number; s2c: number};
  bytes: {c2s: number; s2c: number};
  buffered_bytes: number;
  legs: {client: Leg; upstream: Leg};
  close?: {code: number; initiator: string; why: string; reason: string};
}

export interface Line extends SessionRow {
  rate: {c2s: number; s2c: number}; // messages per second since the last look
}

export interface Picture {
  at: number; // ms
  live: Line[];
  ended: SessionRow[]; // newest first
  accepted: number;
  missed: number;
}

export interface Change {
  at: number;
  kind: 'opened' | 'missed' | 'ended';
  text: string;
  bad: boolean;
}

export class Fleet {
  private last = new Map<string, {row: SessionRow; at: number}>();
  private seenEnded = new Set<string>();
  private firstLook = true;

  constructor(private base: string) {}

  async look(): Promise<{picture: Picture; changes: Change[]}> {
    const [sessions, metrics] = await Promise.all([
      fetch(`${this.base}/sessions?limit=1000`).then((r) => r.json() as Promise<{sessions: RawRow[]; ended: RawRow[]}>),
      fetch(`${this.base}/metrics`).then((r) => r.text()),
    ]);
    const at = Date.now();
    const live = sessions.sessions.map(read).sort((a, b) => b.age_seconds - a.age_seconds);
    const ended = sessions.ended.map(read);
    const changes = this.changes(at, live, ended);
    const lines = live.map((row) => ({...row, rate: this.rate(row, at)}));
    this.last = new Map(live.map((row) => [row.id, {row, at}]));
    this.firstLook = false;
    return {
      picture: {
        at,
        live: lines,
        ended,
        accepted: sum(metrics, /^websocket_connections_total\{[^}]*result="accept"[^}]*\} (\S+)/gm),
        missed: sum(metrics, /^websocket_pong_missed_total\{[^}]*\} (\S+)/gm),
      },
      changes,
    };
  }

  private rate(row: SessionRow, at: number): {c2s: number; s2c: number} {
    const before = this.last.get(row.id);
    const seconds = before ? (at - before.at) / 1000 : row.age_seconds;
    const since = (side: 'c2s' | 's2c'): number =>
      seconds > 0 ? (row.messages[side] - (before?.row.messages[side] ?? 0)) / seconds : 0;
    return {c2s: since('c2s'), s2c: since('s2c')};
  }

  private changes(at: number, live: SessionRow[], ended: SessionRow[]): Change[] {
    const changes: Change[] = [];
    for (const row of live) {
      const before = this.last.get(row.id)?.row;
      if (!before) changes.push({at, kind: 'opened', bad: false, text: `${who(row)} opened`});
      for (const leg of ['client', 'upstream'] as const) {
        if (row.legs[leg].misses > (before?.legs[leg].misses ?? 0)) {
          changes.push({
            at,
            kind: 'missed',
            bad: true,
            text: `${who(row)} missed a pong on its ${leg} leg (${row.legs[leg].misses})`,
          });
        }
      }
    }
    for (const row of [...ended].reverse()) {
      if (this.seenEnded.has(row.id)) continue;
      this.seenEnded.add(row.id);
      if (this.firstLook) continue;
      changes.push({at, kind: 'ended', bad: row.close?.why !== 'normal', text: `${who(row)} ended: ${ending(row)}`});
    }
    return changes;
  }
}

export const who = (row: SessionRow): string => row.target.replace(/^\//, '').replace(/\?.*/, '');

export function ending(row: SessionRow): string {
  const close = row.close;
  if (!close) return 'unknown';
  const by = close.initiator === 'network' ? '' : ` by ${close.initiator}`;
  const text = close.reason ? ` "${close.reason}"` : '';
  return `${close.why.replaceAll('_', ' ')} (${close.code}${by}${text}) after ${row.age_seconds.toFixed(1)} s`;
}

interface RawRow extends SessionRow {}
const read = (row: RawRow): SessionRow => row;

function sum(text: string, pattern: RegExp): number {
  let total = 0;
  for (const match of text.matchAll(pattern)) total += Number(match[1]);
  return total;
}
