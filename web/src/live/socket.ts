// The live stream: one WebSocket for the whole page. Whoever shows something live says what it looks at; the wishes of
// all are joined into one subscription, sent again when it changed. A lost connection comes back by itself, with
// growing pauses (and at once when the page is looked at again); what was shown stays, and the banner says it is old.
import {useEffect, useSyncExternalStore} from 'react';
import {ask, unauthorized} from '../api/fetch';
import type {LiveMessage, Status, Subscribe} from '../api/types';
import {counted} from '../api/numbers';
import {setClock} from '../time/clock';

export type LiveState = 'idle' | 'connecting' | 'open' | 'lost';
type Kind = 'fleet' | 'sessions' | 'session';
type Of<K extends Kind> = Extract<LiveMessage, {type: K}>;

const FIRST_PAUSE = 500,
  LONGEST_PAUSE = 15_000;

class LiveSocket {
  private socket: WebSocket | null = null;
  private wishes = new Map<symbol, Subscribe>();
  private listeners = new Set<() => void>();
  private latest: {[K in Kind]?: Of<K>} = {};
  private heard: {[K in Kind]?: number} = {};
  private sent = '';
  private scheduled = false;
  private pause = FIRST_PAUSE;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private state_: LiveState = 'idle';
  private trouble_ = '';
  private retry_at_ = 0;

  constructor() {
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && this.state_ === 'lost') this.reconnect();
    });
    window.addEventListener('online', () => this.state_ === 'lost' && this.reconnect());
    // A page that goes says so: else the console sees a connection that broke. It may come back from the browser's
    // cache.
    window.addEventListener('pagehide', () => this.leave());
    window.addEventListener('pageshow', (event) => event.persisted && this.apply());
  }

  readonly state = () => this.state_;
  readonly trouble = () => this.trouble_;
  readonly retryAt = () => this.retry_at_;
  message<K extends Kind>(kind: K): Of<K> | undefined {
    return this.latest[kind] as Of<K> | undefined;
  }
  /** When the latest message of a kind came, by this machine's clock; 0: none yet. */
  heardAt(kind: Kind): number {
    return this.heard[kind] ?? 0;
  }
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  want(owner: symbol, wish: Subscribe | null): void {
    if (wish) this.wishes.set(owner, wish);
    else this.wishes.delete(owner);
    // Several components change their wishes in one commit; one message is enough.
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.apply();
    });
  }

  reconnect(): void {
    clearTimeout(this.timer);
    this.pause = FIRST_PAUSE;
    this.open();
  }

  private wanted(): Subscribe {
    return Object.assign({}, ...this.wishes.values()) as Subscribe;
  }

  private apply(): void {
    const wanted = this.wanted();
    for (const kind of ['fleet', 'sessions', 'session'] as const) {
      if (wanted[kind]) continue;
      delete this.latest[kind];
      delete this.heard[kind];
    }
    if (!this.socket) {
      if (this.wishes.size > 0 && this.state_ === 'idle') this.open();
      return;
    }
    const text = JSON.stringify(wanted);
    if (this.socket.readyState === WebSocket.OPEN && text !== this.sent) {
      this.sent = text;
      this.socket.send(text);
    }
  }

  private open(): void {
    this.socket?.close();
    this.set(this.state_ === 'lost' ? 'lost' : 'connecting');
    const scheme = window.location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${window.location.host}/api/v1/live`, 'sockeye-page.v1');
    this.socket = socket;
    this.sent = '';
    let heard = false;
    socket.onopen = () => {
      if (this.socket === socket) this.apply();
      this.set('open');
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      if (!heard) {
        heard = true;
        this.pause = FIRST_PAUSE;
      }
      this.receive(String(event.data));
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      // A refused upgrade hides its status from scripts; an ordinary request tells whether a token is missing.
      if (!heard) void ask<Status>('/status').catch(() => undefined);
      this.retry(event.reason || 'the connection to the console was lost');
    };
  }

  private leave(): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000, 'the page goes');
    this.set('idle');
  }

  private retry(why: string): void {
    this.trouble_ = why;
    const wait = this.pause * (0.75 + Math.random() / 2);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
    this.retry_at_ = Date.now() + wait;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), wait);
    this.set('lost');
  }

  private receive(text: string): void {
    let message: LiveMessage;
    try {
      message = counted(JSON.parse(text) as LiveMessage);
    } catch {
      return;
    }
    if (message.type === 'error') {
      this.trouble_ = message.message;
      this.notify();
      return;
    }
    // Of a newer console.
    if (message.type !== 'fleet' && message.type !== 'sessions' && message.type !== 'session') return;
    setClock(message.now_ms);
    this.heard[message.type] = Date.now();
    (this.latest as Record<string, LiveMessage>)[message.type] = message;
    this.notify();
  }

  private set(state: LiveState): void {
    this.state_ = state;
    if (state === 'open') this.trouble_ = '';
    this.notify();
  }
  private notify(): void {
    for (const listener of [...this.listeners]) listener();
  }
}

export const live = new LiveSocket();
unauthorized.addEventListener('authorized', () => live.state() !== 'idle' && live.reconnect());

export function useLiveState(): LiveState {
  return useSyncExternalStore(live.subscribe, live.state);
}

/** The latest live message of one kind that anybody looks at. */
export function useHeard<K extends Kind>(kind: K): Of<K> | undefined {
  return useSyncExternalStore(live.subscribe, () => live.message(kind));
}

/** The latest live message of one kind, while `wish` (null: none) is looked at. */
export function useLive<K extends Kind>(kind: K, wish: Subscribe[K] | null | undefined): Of<K> | undefined {
  const text = wish ? JSON.stringify(wish) : '';
  useEffect(() => {
    if (!text) return;
    const owner = Symbol(kind);
    live.want(owner, {[kind]: JSON.parse(text)} as Subscribe);
    return () => live.want(owner, null);
  }, [kind, text]);
  const message = useHeard(kind);
  return text ? message : undefined;
}
