import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What to do at the end of each request that a connection still has. */
const open = new WeakMap<Socket, Set<() => void>>();

function endsOf(socket: Socket): Set<() => void> {
  const known = open.get(socket);
  if (known !== undefined) return known;
  const ends = new Set<() => void>();
  open.set(socket, ends);
  socket.once('close', () => {
    for (const end of ends) end();
  });
  return ends;
}

/**
 * Calls `done` exactly once, when the response is out or the connection is gone. Node closes a
 * response only when it is that response's turn on the
 * connection: those behind it (pipelining) never learn that the connection broke, so it is the
 * connection that tells them.
 */
export function atRequestEnd(response: ServerResponse, done: () => void): void {
  const { socket } = response.req;
  if (socket.destroyed) {
    queueMicrotask(done);
    return;
  }
  const ends = endsOf(socket);
  const end = () => {
    if (ends.delete(end)) done();
  };
  ends.add(end);
  response.once('close', end);
}
