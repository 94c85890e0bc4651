import { subscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { headerFields } from './header-fields.ts';

/** A message that two parsers could read differently; answered with its status. */
class AmbiguousMessage extends Error {
  readonly statusCode: number;
  constructor(statusCode: number) {
    super('the message is ambiguous');
    this.statusCode = statusCode;
  }
}

/** Fields that occur once, but of which Node's `headers` has the first of several. */
const singleFields = ['host', 'content-type'] as const;

/**
 * Refuses what Node's parser accepts and a proxy may read differently: a repeated `Host` (RFC 9112
 * §3.2) or `Content-Type` (RFC 9110 §8.3), a transfer coding besides `chunked` (RFC 9112 §6.1), and
 * a zero byte in the target, which no database stores.
 */
export function refuseAmbiguousMessages(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    const { 'transfer-encoding': transfer = 'chunked' } = raw.headers;
    if (
      singleFields.some((name) => headerFields(raw, name).length > 1) ||
      transfer.toLowerCase() !== 'chunked' ||
      raw.url?.includes('%00') === true
    )
      done(new AmbiguousMessage(400));
    else done();
  });
}

/** Refuses bodies with a content coding (RFC 9110 §8.4), which this server does not decode. */
export function refuseContentCodings(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    const { 'content-encoding': content = 'identity' } = raw.headers;
    done(content.toLowerCase() === 'identity' ? undefined : new AmbiguousMessage(415));
  });
}

/** Milliseconds in which a client can read the refusal before its connection is destroyed. */
const lingering = 1000;

const unparsable: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** The response to the latest message whose head was parsed, by connection. */
const latest = new WeakMap<Socket, ServerResponse>();

// Published for every request of every listener, even those answered before the framework runs.
subscribe('http.server.request.start', (message) => {
  const { socket, response } = message as {
    readonly socket: Socket;
    readonly response: ServerResponse;
  };
  latest.set(socket, response);
});

/**
 * Whether an answer now would be read as that of the refused message. It would not while an earlier
 * message is unanswered, or if this one was already answered and the fault is in its body.
 */
function isNextToBeAnswered(socket: Socket): boolean {
  const response = latest.get(socket);
  if (response === undefined) return socket.bytesWritten === 0;
  return response.req.complete
    ? response.writableFinished
    : response.socket === socket && !response.headersSent;
}

/**
 * Answers on the bare socket what Node's parser refused, in the same form as every other refusal;
 * it repeats nothing from the request.
 */
export function answerUnparsable(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  // Its client may ignore the end, or read nothing.
  setTimeout(() => socket.destroy(), lingering).unref();
  if (!isNextToBeAnswered(socket)) {
    socket.end();
    return;
  }
  const body = JSON.stringify({
    error: 'invalid_request',
    error_description: 'the request is malformed',
  });
  const fields = [
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    'Connection: close',
  ];
  socket.end(
    [`HTTP/1.1 ${unparsable[error.code ?? ''] ?? '400 Bad Request'}`, ...fields, '', body].join(
      '\r\n',
    ),
  );
}
