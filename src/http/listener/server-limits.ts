import type { Server, ServerOptions } from 'node:http';

/**
 * What every listener puts up with. Milliseconds, bytes. A client that sends slowly (slow-loris)
 * is cut off when its header or its request is late; Node looks every
 * `connectionsCheckingInterval`. Idle connections stay longer than those of front doors, which
 * mostly keep them for 60 s. A proof by ML-DSA-87 has about 10,000 bytes of header, a certificate
 * handed on by a proxy some thousand more.
 */
export const serverLimits = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1000,
  keepAliveTimeout: 72_000,
  maxHeaderSize: 24_576,
} as const satisfies ServerOptions;

/** Milliseconds without a byte in either direction, within a request or an answer. */
export const inactivity = 30_000;

/** Connections of one listener; and from how many on idle ones make room. */
const [maxConnections, crowded] = [20_000, 15_000];

/**
 * Answers who closed one direction of the connection after the request, as some clients and load
 * balancers do: what a request used up is not used up for nothing. Node would close the other
 * direction at once.
 */
export function answerHalfClosed(server: Server): void {
  Object.assign(server, { httpAllowHalfOpen: true });
}

/**
 * Bounds what the connections of a server can hold; when they get scarce, those without a request
 * are closed.
 */
export function boundConnections(server: Server, room = crowded, most = maxConnections): void {
  server.maxConnections = most;
  let connections = 0;
  let making = false;
  server.on('connection', (socket) => {
    connections++;
    socket.once('close', () => connections--);
    if (connections <= room || making) return;
    making = true;
    server.closeIdleConnections();
    // Not for every connection: the look costs as much as there are.
    setTimeout(() => (making = false), 100).unref();
  });
}
