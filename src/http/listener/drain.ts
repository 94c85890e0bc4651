import type { Server } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { judgedByOldAnchors } from './trust-anchors.ts';

/** Sends `Connection: close` during a stop, so that clients send no more requests on it. */
export function closeWhenStopping(server: Server, stopping: () => boolean): void {
  server.prependListener('request', (_request, response) => {
    if (stopping()) response.shouldKeepAlive = false;
  });
}

/**
 * Does the same for requests that began before the stop, and on connections whose certificate was
 * verified with trust anchors that have since been replaced.
 */
export function lastAnswers(app: FastifyInstance, stopping: () => boolean): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    if (stopping() || judgedByOldAnchors(request.raw.socket)) reply.raw.shouldKeepAlive = false;
    done(null, payload);
  });
}

/**
 * Resolves when no connection or request has arrived for two turns of the event loop: the queues of
 * the listening sockets are then empty, and closing them in this turn resets nobody. Under constant
 * load it resolves after `patience` milliseconds.
 */
export async function quiet(servers: readonly Server[], patience: number): Promise<void> {
  let came = false;
  const note = () => {
    came = true;
  };
  for (const server of servers) server.on('connection', note).on('request', note);
  const latest = performance.now() + patience;
  for (let turns = 0; turns < 2 && performance.now() < latest; turns++) {
    came = false;
    await turn();
    if (came) turns = -1;
  }
  for (const server of servers) server.off('connection', note).off('request', note);
}

/** Milliseconds between two searches for connections that are idle after their last answer. */
const sweep = 50;

/** Closes connections as they become idle, until stopped; Node does not on a closed server. */
export function closingIdle(servers: readonly Server[]): () => void {
  const timer = setInterval(() => {
    for (const server of servers) server.closeIdleConnections();
  }, sweep).unref();
  return () => clearInterval(timer);
}
