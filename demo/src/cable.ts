// A network path that can be cut. While whole it passes bytes both ways; once cut it keeps both sockets open and
// carries nothing, which is what a phone in a tunnel looks like from the server: no FIN, no RST, only silence.
import {createServer, connect, type AddressInfo, type Server, type Socket} from 'node:net';

export class Cable {
  private pairs: [Socket, Socket][] = [];
  private constructor(private server: Server) {}

  static async to(port: number): Promise<Cable> {
    const server = createServer();
    const cable = new Cable(server);
    server.on('connection', (near) => {
      const far = connect(port, '127.0.0.1');
      cable.pairs.push([near, far]);
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        from.pipe(into);
        from.on('error', () => into.destroy());
        from.on('close', () => into.destroy());
      }
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return cable;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  cut(): void {
    for (const [near, far] of this.pairs) {
      near.unpipe(far).pause();
      far.unpipe(near).pause();
    }
  }

  // Puts the sockets away and is whole again for the next connection.
  mend(): void {
    for (const pair of this.pairs) for (const socket of pair) socket.destroy();
    this.pairs = [];
  }

  close(): void {
    this.mend();
    this.server.close();
  }
}
