import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { serverLimits } from '../listener/server-limits.ts';

/** Bytes of half-sent headers that a listener holds together; Node needs four times as much. */
const mostBytes = 33_554_432;

/** Milliseconds between two looks at the connections, while there are enough of them to matter. */
const interval = 100;

/** What may differ between the bytes of a header and those of its parsed fields: white space. */
const slack = 1024;

const answer =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/**
 * Bounds what half-sent headers hold: nobody has been authenticated, counted, or even routed by
 * then. Node tells nothing about them, so the bytes that each connection has read are compared with
 * those of its requests. Beyond the bound the longest ones are refused.
 * @param opening the event of `server` that brings a connection: `secureConnection` with TLS
 */
export function boundHalfSentHeaders(
  server: Server,
  opening: 'connection' | 'secureConnection',
  logger: Logger,
  most = mostBytes,
): void {
  /** Bytes of each connection that belong to requests whose header was complete. */
  const accounted = new Map<Socket, number>();
  const few = most / serverLimits.maxHeaderSize;
  const halfSent = (socket: Socket, of: number) =>
    Math.min(Math.max(0, socket.bytesRead - of), serverLimits.maxHeaderSize);
  let looking = false;
  const look = () => {
    looking = accounted.size > few;
    if (!looking) return;
    setTimeout(look, interval).unref();
    const held = [...accounted].map(([socket, of]) => ({ socket, bytes: halfSent(socket, of) }));
    let total = held.reduce((sum, { bytes }) => sum + bytes, 0);
    if (total <= most) return;
    let refused = 0;
    for (const { socket, bytes } of held.sort((one, other) => other.bytes - one.bytes)) {
      if (total <= most) break;
      total -= bytes;
      refused++;
      socket.write(answer);
      socket.destroy();
    }
    logger.warn({ refused, reason: 'header_half_sent' }, 'half-sent headers are refused');
  };
  server.on(opening, (socket: Socket) => {
    accounted.set(socket, 0);
    socket.once('close', () => accounted.delete(socket));
    if (!looking) look();
  });
  server.prependListener('request', (request) => {
    const { socket } = request;
    const before = accounted.get(socket);
    if (before === undefined) return;
    const body = Number(request.headers['content-length'] ?? 0) || 0;
    // Another header may have come behind this one; only among many does it matter.
    const through = looking ? before + headBytes(request) : socket.bytesRead;
    const rest = socket.bytesRead - through - body;
    accounted.set(
      socket,
      rest > slack ? through + body : Math.max(socket.bytesRead, through + body),
    );
  });
}

/** Bytes of a header: the request line, and `name: value` of each field. */
function headBytes({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  const fields = rawHeaders.reduce((sum, text) => sum + text.length + 2, 0);
  return method.length + url.length + 14 + fields;
}
