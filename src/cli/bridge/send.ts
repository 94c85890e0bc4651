import type { Agent, ClientRequest, IncomingMessage } from 'node:http';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Presenter } from '../../../packages/client/src/presenter.ts';
import { endToEnd } from './fields.ts';
import { type BridgePolicy, secretField } from './local-request.ts';

/** Options for forwarding requests to one origin. */
export interface Bridge {
  /** Origin of the API. */
  readonly to: URL;
  readonly holder: Pick<Presenter, 'authorize' | 'observe'>;
  readonly policy: BridgePolicy;
  readonly agent: Agent;
  /** Milliseconds without a byte from the API before a request is aborted; 0: never. */
  readonly idleTimeout: number;
}

/** A request to forward. */
export interface Forwarded {
  readonly request: IncomingMessage;
  /** Aborted when the client disconnects. */
  readonly gone: AbortSignal;
  /** True: it asks for a WebSocket. */
  readonly upgrade: boolean;
  /** Tells the client, if it asked, to send its body. */
  readonly whenReady: () => void;
}

/** The API's answer; with `socket`, the connection is now a WebSocket. */
export interface Answer {
  readonly message: IncomingMessage;
  readonly socket?: Duplex;
  readonly head?: Buffer;
  /** False: no body was sent, because the API answered after the header. */
  readonly begun: boolean;
}

/** A body that was read completely, or one that is still arriving. */
export type Body = Buffer | 'stream';

/** The API closed a kept-alive connection. */
export class ConnectionLost extends Error {}

/** The API sent nothing for too long. */
export class IdleTimeout extends Error {}

/** One attempt at a request. */
export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly own: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** Returns the answer to one attempt. Throws ConnectionLost, IdleTimeout and network errors. */
export async function sent(
  { to, agent, idleTimeout }: Bridge,
  { request, gone, upgrade, whenReady }: Forwarded,
  { method, url, own, body }: Outgoing,
): Promise<Answer> {
  const outgoing = (to.protocol === 'https:' ? tlsRequest : plainRequest)({
    host: to.hostname.replace(/^\[|\]$/g, ''),
    port: to.port,
    method,
    path: `${url.pathname}${url.search}`,
    headers: [
      'Host',
      to.host,
      ...endToEnd(request.rawHeaders, [secretField, 'authorization']),
      'Via',
      '1.1 holdfast-bridge',
      ...Object.entries(own).flat(),
      ...(body === 'stream' ? ['Expect', '100-continue'] : []),
      ...(upgrade ? ['Connection', 'Upgrade', 'Upgrade', 'websocket'] : framing(request, body)),
    ],
    agent,
    signal: gone,
  });
  let begun = body !== 'stream';
  const answer = new Promise<Answer>((resolve, reject) => {
    outgoing.once('response', (message) => {
      resolve({ message, begun });
      // An API that refuses the header does not wait for the body.
      if (!begun) message.once('close', () => outgoing.destroy());
    });
    outgoing.once('upgrade', (message, socket, head) => resolve({ message, socket, head, begun }));
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      request.unpipe(outgoing);
      const lost = outgoing.reusedSocket && error.code === 'ECONNRESET' && isIdempotent(method);
      reject(lost ? new ConnectionLost() : error);
    });
  });
  // Excess bytes would be read as another request, with another caller's token.
  Object.assign(outgoing, { strictContentLength: true });
  outgoing.setTimeout(idleTimeout, () => outgoing.destroy(new IdleTimeout()));
  if (body !== 'stream') outgoing.end(body);
  else
    whenWanted(outgoing, () => {
      begun = true;
      whenReady();
      request.pipe(outgoing);
    });
  return answer;
}

/**
 * Calls `start` once when the API asks for the body, or after a second because not all know
 * `Expect` (RFC 9110 §10.1.1). So a stream is still unread if the header is refused for want of a
 * nonce.
 */
function whenWanted(outgoing: ClientRequest, start: () => void): void {
  const stop = () => {
    clearTimeout(timer);
    outgoing.off('continue', begin);
  };
  const begin = () => {
    stop();
    start();
  };
  const timer = setTimeout(begin, 1000);
  for (const event of ['response', 'error', 'close']) outgoing.once(event, stop);
  outgoing.once('continue', begin).flushHeaders();
}

/** The received length, or chunked encoding again (RFC 9112 §6). */
function framing({ headers, method = '' }: IncomingMessage, body: Body): readonly string[] {
  if (headers['transfer-encoding'] !== undefined) return ['Transfer-Encoding', 'chunked'];
  const length = headers['content-length'] ?? (/^(POST|PUT|PATCH)$/.test(method) ? '0' : undefined);
  return length === undefined
    ? []
    : ['Content-Length', body === 'stream' ? length : `${body.length}`];
}

/** RFC 9110 §9.2.2. */
function isIdempotent(method: string): boolean {
  return /^(GET|HEAD|OPTIONS|PUT|DELETE)$/.test(method);
}
