import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

/** An API on raw sockets: `behave` gets the socket of each request. */
export async function openRaw() {
  const sockets = new Set<Socket>();
  const api = { behave: (_socket: Socket, _header: string): unknown => undefined };
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.on(
      'data',
      (chunk: Buffer) =>
        /^\S+ \/.*\r\n\r\n/s.test(chunk.toString()) && api.behave(socket, chunk.toString()),
    );
  });
  let port = 0;
  const open = async () => {
    await once(tcp.listen(port, '127.0.0.1'), 'listening');
    port = (tcp.address() as { port: number }).port;
  };
  await open();
  return Object.assign(api, {
    origin: `http://127.0.0.1:${port}`,
    open,
    close() {
      tcp.close();
      for (const socket of sockets) socket.destroy();
    },
  });
}
