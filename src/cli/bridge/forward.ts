import type { Agent, ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Presenter } from '../../../packages/client/src/presenter.ts';
import type { Lesson } from '../../../packages/client/src/refused-request.ts';
import { endToEnd, tellingFields } from './fields.ts';
import { type BridgePolicy, localTarget, secretField } from './local-request.ts';

/** What forwards requests to one origin. */
export interface Bridge {
  /** Origin of the API. */
  readonly to: URL;
  readonly holder: Pick<Presenter, 'authorize' | 'observe'>;
  readonly policy: BridgePolicy;
  readonly agent: Agent;
  /** Milliseconds without a byte from the API after which a request ends; 0: never. */
  readonly idleTimeout: number;
}

/** A request on its way. */
export interface Forwarded {
  readonly request: IncomingMessage;
  /** Aborted when the client has gone. */
  readonly gone: AbortSignal;
  /** True: it asks for a WebSocket. */
  readonly upgrade: boolean;
  /** Tells the client, if it asked, that its body is wanted. */
  readonly whenReady: () => void;
}

/** What the API answered; with `socket`, the connection is a WebSocket now. */
export interface Answer {
  readonly message: IncomingMessage;
  readonly socket?: Duplex;
  readonly head?: Buffer;
  /** False: the body was not begun, since the API answered the header alone. */
  readonly begun: boolean;
}

/** Bytes of a body up to which it is kept, so that it can be sent again. */
export const keptBody = 64 * 1024;

type Body = Buffer | 'stream';

/** Sends a request with token and proof, and again where the answer says how to do better. */
export async function answerOf(bridge: Bridge, forwarded: Forwarded): Promise<Answer> {
  const { request } = forwarded;
  const { method = 'GET' } = request;
  const url = new URL(`${bridge.to.origin}${localTarget(request.url ?? '', bridge.policy)}`);
  const body = await bodyOf(forwarded);
  const left: Record<Lesson | 'connection', number> = {
    nonce: 2,
    clock: 1,
    token: 1,
    connection: 1,
  };
  for (;;) {
    const own = await bridge.holder.authorize(method, url);
    let answer: Answer;
    try {
      answer = await sent(bridge, forwarded, { method, url, own, body });
    } catch (error) {
      // The API had closed a connection that was kept: it has not seen the request.
      if (error instanceof ConnectionLost && body !== 'stream' && left.connection-- > 0) continue;
      throw error;
    }
    const { statusCode: status = 0, rawHeaders } = answer.message;
    const headers = tellingFields(rawHeaders);
    const lesson = await bridge.holder.observe(url, { status, headers });
    if (lesson === undefined || (body === 'stream' && answer.begun)) return answer;
    if (left[lesson]-- <= 0) return answer;
    // The connection is worth keeping, a long answer is not worth reading.
    const { 'content-length': length = 0 } = answer.message.headers;
    if (Number(length) > keptBody || !answer.begun) answer.message.destroy();
    else answer.message.resume();
  }
}

/** Hands an answer back as it came: redirects are not followed, nothing is decoded. */
export async function handBack({ message }: Answer, response: ServerResponse): Promise<void> {
  const { statusCode = 502, statusMessage = '', rawHeaders, headers } = message;
  const length = headers['content-length'];
  response.sendDate = false;
  response.writeHead(statusCode, statusMessage, [
    ...endToEnd(rawHeaders),
    ...(length === undefined ? [] : ['Content-Length', length]),
  ]);
  // Events may come much later.
  response.flushHeaders();
  await pipeline(message, response);
}

/** The API closed a connection that was kept for more requests. */
class ConnectionLost extends Error {}

/** The API sent nothing for too long. */
export class IdleTimeout extends Error {}

async function bodyOf({ request, whenReady }: Forwarded): Promise<Body> {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  if (encoding !== undefined || Number(length) > keptBody) return 'stream';
  if (length === '0') return Buffer.alloc(0);
  whenReady();
  return buffer(request);
}

interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly own: Readonly<Record<string, string>>;
  readonly body: Body;
}

async function sent(
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
      // Whoever refuses a header does not wait for the body.
      if (!begun) message.once('close', () => outgoing.destroy());
    });
    outgoing.once('upgrade', (message, socket, head) => resolve({ message, socket, head, begun }));
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      request.unpipe(outgoing);
      const lost = outgoing.reusedSocket && error.code === 'ECONNRESET' && isIdempotent(method);
      reject(lost ? new ConnectionLost() : error);
    });
  });
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
 * Calls when the API asks for the body, or says nothing for a second: not all know `Expect` (RFC
 * 9110 §10.1.1). So a stream is still whole where the header alone is refused, for want of a nonce.
 */
function whenWanted(outgoing: ClientRequest, start: () => void): void {
  const timer = setTimeout(start, 1000);
  outgoing.once('continue', () => {
    clearTimeout(timer);
    start();
  });
  for (const event of ['response', 'error', 'close'])
    outgoing.once(event, () => clearTimeout(timer));
  outgoing.flushHeaders();
}

/** The length as it was received, or the encoding that is made anew (RFC 9112 §6). */
function framing({ headers, method = '' }: IncomingMessage, body: Body): readonly string[] {
  if (headers['transfer-encoding'] !== undefined) return ['Transfer-Encoding', 'chunked'];
  const length = headers['content-length'] ?? (/^(POST|PUT|PATCH)$/.test(method) ? '0' : undefined);
  return length === undefined
    ? []
    : ['Content-Length', body === 'stream' ? length : `${body.length}`];
}

/** RFC 9110 §9.2.2. */
function isIdempotent(method: string): boolean {
  return /^(GET|HEAD|OPTIONS|TRACE|PUT|DELETE)$/.test(method);
}
