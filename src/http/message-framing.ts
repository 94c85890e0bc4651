import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** A message that two readers could understand differently. The error handler of the listener answers it by its status. */
class AmbiguousMessage extends Error {
  readonly statusCode: number;
  constructor(statusCode: number) {
    super('the message is ambiguous');
    this.statusCode = statusCode;
  }
}

/**
 * Refuses what Node's parser lets through and a proxy may read in another way: a repeated `Host` (RFC 9112 §3.2), a transfer coding besides
 * `chunked` (§6.1), a content coding (RFC 9110 §8.4), and a zero octet in the target, which no database stores.
 */
export function refuseAmbiguousMessages(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw }, _reply, done) => {
    const { 'transfer-encoding': transfer = 'chunked', 'content-encoding': content = 'identity' } = raw.headers;
    if (hosts(raw) > 1 || transfer.toLowerCase() !== 'chunked' || raw.url?.includes('%00') === true) done(new AmbiguousMessage(400));
    else if (content.toLowerCase() !== 'identity') done(new AmbiguousMessage(415));
    else done();
  });
}

function hosts({ rawHeaders }: FastifyRequest['raw']): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count;
}

const unparsable: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Answers on the bare socket what Node's parser refused, in the words of every other refusal and with nothing of what was sent. */
export function answerUnparsable(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  // The head of the message may have been answered already; a second answer would be read as that of another request.
  if (socket.bytesWritten > 0) {
    socket.end();
    return;
  }
  const body = JSON.stringify({ error: 'invalid_request', error_description: 'the request is malformed' });
  const fields = ['Content-Type: application/json; charset=utf-8', `Content-Length: ${body.length}`, 'Cache-Control: no-store', 'Connection: close'];
  socket.end([`HTTP/1.1 ${unparsable[error.code ?? ''] ?? '400 Bad Request'}`, ...fields, '', body].join('\r\n'));
}
