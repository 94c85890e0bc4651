import type { Server, ServerOptions } from 'node:http';

/**
 * Limits of every listener, in milliseconds and bytes. A client that sends slowly (slow-loris) is
 * cut off when its header or request is late; Node checks every `connectionsCheckingInterval`. Idle
 * connections outlive those of front doors, which usually keep them for 60 s. A proof by ML-DSA-87
 * has about 10,000 bytes of header, and a forwarded certificate adds a few thousand.
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

/** Maximum connections of one listener, and the number from which idle ones are closed. */
const [maxConnections, crowded] = [20_000, 15_000];

/**
 * Answers clients that close their direction of the connection after the request, as some load
 * balancers do. Node would close the other direction immediately and lose what the request used up.
 */
export function answerHalfClosed(server: Server): void {
  Object.assign(server, { httpAllowHalfOpen: true });
}

/** Limits the connections of a server; when few are left, idle ones are closed. */
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
    // Not for every connection: the search costs as much as there are connections.
    setTimeout(() => (making = false), 100).unref();
  });
}
