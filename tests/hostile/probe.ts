// One request on a connection of its own, as an orchestrator asks: how long until its answer, and whether it is right.
import {connect} from 'node:net';
import {Series, type Waits} from './series.js';

export interface Probed extends Waits {
  failed: number; // refused, closed, another status, or not answered within 10 s
  said: Record<string, number>; // what failures were
}

export class Probe {
  private waits = new Series();
  private open = new Map<object, number>();
  private failed = 0;
  private said: Record<string, number> = {};

  constructor(
    private readonly port: number,
    private readonly request: string | Buffer,
    private readonly right: RegExp,
    every: number,
    // What is written behind the right answer before it ends.
    private readonly farewell?: Buffer,
    private readonly whole = (got: string): boolean => got.includes('\r\n\r\n'),
  ) {
    setInterval(() => this.ask(), every);
  }
  take(): Probed {
    const now = performance.now();
    const waits = this.waits.take([...this.open.values()].map((since) => now - since));
    const {failed, said} = this;
    this.failed = 0;
    this.said = {};
    return {...waits, failed, said};
  }

  private ask(): void {
    if (this.open.size >= 40) return;
    const socket = connect(this.port, '127.0.0.1');
    const since = performance.now();
    let got = '';
    this.open.set(socket, since);
    const done = (failure?: string): void => {
      if (!this.open.delete(socket)) return;
      this.waits.add(performance.now() - since);
      if (failure !== undefined) {
        ++this.failed;
        this.said[failure] = (this.said[failure] ?? 0) + 1;
      }
    };
    const timer = setTimeout(() => {
      done('no answer within 10 s');
      socket.destroy();
    }, 10_000);
    socket.on('data', (data) => {
      if (!this.open.has(socket)) return;
      got += data.toString('latin1');
      if (!this.whole(got)) return;
      done(this.right.test(got) ? undefined : got.slice(0, 12));
      if (this.farewell) socket.end(this.farewell);
      else socket.end();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    socket.on('close', () => {
      clearTimeout(timer);
      done('closed');
    });
    socket.write(this.request);
  }
}
