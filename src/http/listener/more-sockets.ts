import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';

/** Whether several sockets can listen on one port, the kernel spreading new connections over them. */
export const portsCanBeShared = process.platform === 'linux';

/** Sockets beside a listener's own. With a quarter of them the last of some hundred new connections waited for a fraction of a second; twice as many were no better (bench). */
const count = 31;

/** Sockets that listen, and the way to be rid of them. */
export interface MoreSockets {
  /** Resolves when their connections have ended. */
  close(): Promise<void>;
}

/**
 * Opens more sockets on the port of a server that listens with `reusePort`, and hands it their connections: libuv takes one connection for each socket
 * and turn of the event loop (libuv#3696), so that under load new connections would wait long before this server has seen them and can refuse.
 */
export async function moreSockets(server: Server): Promise<MoreSockets> {
  const { address, port } = server.address() as AddressInfo;
  const sockets = Array.from({ length: count }, () =>
    // As `node:http` sets its own.
    createServer({ allowHalfOpen: true, noDelay: true }, (connection) =>
      server.emit('connection', connection),
    ),
  );
  for (const socket of sockets) {
    socket.maxConnections = server.maxConnections;
    socket.listen({ host: address, port, reusePort: true });
    await once(socket, 'listening');
  }
  return {
    async close() {
      const closed = sockets.map((socket) => once(socket, 'close'));
      for (const socket of sockets) socket.close();
      await Promise.all(closed);
    },
  };
}

/** Throws what `listen` does when another program listens there: one that shares its port would go unnoticed. */
export async function refuseTakenPort(host: string, port: number): Promise<void> {
  const probe = createServer().listen({ host, port, exclusive: true });
  await once(probe, 'listening');
  probe.close();
  await once(probe, 'close');
}
