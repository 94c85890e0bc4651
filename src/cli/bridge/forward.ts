import type { Agent, IncomingMessage, ServerResponse } from 'node:http';
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
}

/** What the API answered; with `socket`, the connection is a WebSocket now. */
export interface Answer {
  readonly message: IncomingMessage;
  readonly socket?: Duplex;
  readonly head?: Buffer;
}

/** Bytes of a body up to which it is kept, so that it can be sent again. */
export const keptBody = 64 * 1024;

type Body = Buffer | 'stream';

/** Sends a request with token and proof, and again where the answer says how to do better. */
export async function answerOf(
  bridge: Bridge,
  forwarded: Forwarded,
  whenReady: () => void = () => undefined,
): Promise<Answer> {
  const { request } = forwarded;
  const { method = 'GET' } = request;
  const url = new URL(`${bridge.to.origin}${localTarget(request.url ?? '', bridge.policy)}`);
  whenReady();
  const body = await bodyOf(request);
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
    if (lesson === undefined || body === 'stream' || left[lesson]-- <= 0) return answer;
    // The connection is worth keeping, a long answer is not worth reading.
    if (Number(answer.message.headers['content-length'] ?? 0) > keptBody) answer.message.destroy();
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

async function bodyOf(request: IncomingMessage): Promise<Body> {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  if (encoding !== undefined || Number(length) > keptBody) return 'stream';
  return length === '0' ? Buffer.alloc(0) : buffer(request);
}

interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly own: Readonly<Record<string, string>>;
  readonly body: Body;
}

async function sent(
  { to, agent, idleTimeout }: Bridge,
  { request, gone, upgrade }: Forwarded,
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
      ...(upgrade ? ['Connection', 'Upgrade', 'Upgrade', 'websocket'] : framing(request, body)),
    ],
    agent,
    signal: gone,
  });
  const answer = new Promise<Answer>((resolve, reject) => {
    outgoing.once('response', (message) => resolve({ message }));
    outgoing.once('upgrade', (message, socket, head) => resolve({ message, socket, head }));
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      request.unpipe(outgoing);
      const lost = outgoing.reusedSocket && error.code === 'ECONNRESET' && isIdempotent(method);
      reject(lost ? new ConnectionLost() : error);
    });
  });
  outgoing.setTimeout(idleTimeout, () => outgoing.destroy(new IdleTimeout()));
  if (body === 'stream') {
    outgoing.flushHeaders();
    request.pipe(outgoing);
  } else outgoing.end(body);
  return answer;
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
