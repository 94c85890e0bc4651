import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Callbacks for the end of each response that a connection still has. */
const open = new WeakMap<Socket, Map<ServerResponse, (() => void)[]>>();

function responsesOf(socket: Socket): Map<ServerResponse, (() => void)[]> {
  const known = open.get(socket);
  if (known !== undefined) return known;
  const responses = new Map<ServerResponse, (() => void)[]>();
  open.set(socket, responses);
  socket.once('close', () => {
    for (const response of responses.keys()) end(responses, response);
  });
  return responses;
}

function end(responses: Map<ServerResponse, (() => void)[]>, response: ServerResponse): void {
  const ends = responses.get(response) ?? [];
  responses.delete(response);
  for (const done of ends) done();
}

/**
 * Calls `done` exactly once, when the response is sent or the connection is gone. When a connection
 * breaks, Node closes only the response that it is writing, so pipelined ones are notified by the
 * connection itself.
 */
export function atRequestEnd(response: ServerResponse, done: () => void): void {
  const { socket } = response.req;
  if (socket.destroyed) {
    queueMicrotask(done);
    return;
  }
  const responses = responsesOf(socket);
  const ends = responses.get(response);
  if (ends !== undefined) {
    ends.push(done);
    return;
  }
  responses.set(response, [done]);
  response.on('close', () => end(responses, response));
}
