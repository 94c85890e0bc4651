import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { serverLimits } from '../listener/server-limits.ts';

/** Maximum bytes of half-sent headers of a listener; Node needs four times as much memory. */
const mostBytes = 33_554_432;

/** Milliseconds between two checks of the connections, while there are enough of them to matter. */
const interval = 100;

/** By how many bytes a header may exceed its parsed fields: white space. */
const slack = 1024;

const answer =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/** The state of a connection. */
interface Reading {
  /** Bytes of requests whose header was complete. */
  accounted: number;
  /** Requests whose answer is not complete yet. */
  inProgress: number;
}

/**
 * Bounds the memory of half-sent headers, which come before authentication, counting and routing.
 * Node does not report them, so the bytes read on a connection are compared with those of its
 * requests. Beyond the bound the longest ones are refused, but not on a connection with a request
 * in progress, which has other limits.
 * @param opening the event of `server` for a connection: `secureConnection` with TLS
 */
export function boundHalfSentHeaders(
  server: Server,
  opening: 'connection' | 'secureConnection',
  logger: Logger,
  most = mostBytes,
): void {
  const readings = new Map<Socket, Reading>();
  const few = most / serverLimits.maxHeaderSize;
  const halfSent = (socket: Socket, { accounted, inProgress }: Reading) =>
    inProgress > 0
      ? 0
      : Math.min(Math.max(0, socket.bytesRead - accounted), serverLimits.maxHeaderSize);
  let looking = false;
  const look = () => {
    looking = readings.size > few;
    if (!looking) return;
    setTimeout(look, interval).unref();
    const held = [...readings].map(([socket, reading]) => ({
      socket,
      bytes: halfSent(socket, reading),
    }));
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
    readings.set(socket, { accounted: 0, inProgress: 0 });
    socket.once('close', () => readings.delete(socket));
    if (!looking) look();
  });
  server.prependListener('request', (request, response) => {
    const reading = readings.get(request.socket);
    if (reading === undefined) return;
    account(reading, request);
    // The end of this body is unknown, so among many connections this is the last request here.
    if (looking && request.headers['transfer-encoding'] !== undefined)
      response.shouldKeepAlive = false;
    reading.inProgress++;
    response.on('close', () => {
      reading.inProgress--;
      // The size of a chunked body is known only at its end.
      if (!looking && request.headers['transfer-encoding'] !== undefined)
        reading.accounted = request.socket.bytesRead;
    });
  });
}

/** Adds a request to the accounted bytes; another header may have followed it. */
function account(reading: Reading, request: IncomingMessage): void {
  const body = Number(request.headers['content-length'] ?? 0) || 0;
  const through = reading.accounted + headBytes(request) + body;
  const rest = request.socket.bytesRead - through;
  reading.accounted = rest > 0 && rest <= slack ? request.socket.bytesRead : through;
}

/** Bytes of a header: the request line, and `name: value` of each field. */
function headBytes({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  const fields = rawHeaders.reduce((sum, text) => sum + text.length + 2, 0);
  return method.length + url.length + 14 + fields;
}
