import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { serverLimits } from '../listener/server-limits.ts';

/** Bytes of half-sent headers that a listener holds together; Node needs four times as much. */
const mostBytes = 33_554_432;

/** Milliseconds between two looks at the connections, while there are enough of them to matter. */
const interval = 100;

/** By how much the bytes of a header may exceed those of its parsed fields: white space. */
const slack = 1024;

const answer =
  'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/** What is known of a connection. */
interface Reading {
  /** Bytes that belong to requests whose header was complete. */
  accounted: number;
  /** Requests that have no complete answer yet. */
  inProgress: number;
}

/**
 * Bounds what half-sent headers hold: nobody has been authenticated, counted, or even routed by
 * then. Node tells nothing about them, so the bytes that a connection has read are compared with
 * those of its requests. Beyond the bound the longest ones are refused; a connection with a request
 * in progress is left alone, for other limits bound those.
 * @param opening the event of `server` that brings a connection: `secureConnection` with TLS
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
    // Nobody can tell where its body ended: among many, this is the last request here.
    if (looking && request.headers['transfer-encoding'] !== undefined)
      response.shouldKeepAlive = false;
    reading.inProgress++;
    response.on('close', () => {
      reading.inProgress--;
      // The chunks of a body are known only as a whole.
      if (!looking && request.headers['transfer-encoding'] !== undefined)
        reading.accounted = request.socket.bytesRead;
    });
  });
}

/** Adds a request to what is accounted for; another header may have come behind it. */
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
