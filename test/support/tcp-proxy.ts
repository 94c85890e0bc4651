import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** What happens to connections: forwarded; refused; accepted and never answered; `held`: what is sent arrives when the line is open again. */
export type Line = 'open' | 'refused' | 'silent' | 'held';

/** A stretch of network between the server and one of its stores, which a test can cut. */
export interface TcpProxy {
  readonly port: number;
  set(line: Line): Promise<void>;
  /** New connections go to this port. */
  leadTo(port: number): void;
  close(): Promise<void>;
}

/** Forwards to this port of loopback. */
export async function tcpProxy(firstTarget: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let target = firstTarget;
  let line: Line = 'open';
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy());
    if (line === 'held') socket.pause();
    return socket;
  };
  const listener = (): Server =>
    createServer((downstream) => {
      keep(downstream);
      if (line === 'silent') return;
      const upstream = keep(connect(target, '127.0.0.1'));
      const forward = (from: Socket, to: Socket) => {
        from
          .on('data', (chunk) => line !== 'silent' && to.write(chunk))
          .on('close', () => to.destroy());
        if (line === 'held') from.pause();
      };
      forward(downstream, upstream);
      forward(upstream, downstream);
    });
  let server = listener().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    async set(next) {
      if (line === 'refused' && next !== 'refused') {
        server = listener().listen(port, '127.0.0.1');
        await once(server, 'listening');
      }
      if (next === 'refused' && line !== 'refused') server.close();
      // After silence a connection has lost data in the middle: only new ones can work.
      if (next !== 'silent' && next !== 'held' && line !== 'held') drop();
      line = next;
      for (const socket of sockets) socket[next === 'held' ? 'pause' : 'resume']();
    },
    leadTo(next) {
      target = next;
    },
    async close() {
      drop();
      server.close();
      await Promise.resolve();
    },
  };
}
