import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Lesson } from '../../../packages/client/src/refused-request.ts';
import { endToEnd, tellingFields } from './fields.ts';
import { localTarget } from './local-request.ts';
import {
  type Answer,
  type Body,
  type Bridge,
  ConnectionLost,
  type Forwarded,
  sent,
} from './send.ts';

/** Bytes of a body up to which it is kept, so that it can be sent again. */
export const keptBody = 64 * 1024;

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
    const lesson = await bridge.holder.observe(url, { status, headers }).catch((error: unknown) => {
      (answer.socket ?? answer.message).destroy();
      throw error;
    });
    if (lesson === undefined || (body === 'stream' && answer.begun)) return answer;
    if (left[lesson]-- <= 0) return answer;
    if (answer.begun) void drain(answer.message);
    else answer.message.destroy();
  }
}

/** Reads a short answer to its end, since its connection is worth keeping; a long one is not. */
async function drain(message: IncomingMessage): Promise<void> {
  const timer = setTimeout(() => message.destroy(), 1000);
  let left = keptBody;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      left -= chunk.length;
      if (left < 0) break;
    }
  } catch {
    // Nobody waits for what it says.
  } finally {
    clearTimeout(timer);
  }
}

/** Hands an answer back as it came: redirects are not followed, nothing is decoded. */
export async function handBack({ message }: Answer, response: ServerResponse): Promise<void> {
  const { statusCode = 502, statusMessage = '', rawHeaders, headers } = message;
  const length = headers['content-length'];
  response.sendDate = false;
  try {
    response.writeHead(statusCode, statusMessage, [
      ...endToEnd(rawHeaders),
      ...(length === undefined ? [] : ['Content-Length', length]),
    ]);
    // Events may come much later.
    response.flushHeaders();
    await pipeline(message, response);
  } finally {
    // Not every answer can be written: there is no status 099.
    message.destroy();
  }
}

async function bodyOf({ request, whenReady }: Forwarded): Promise<Body> {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
  if (encoding !== undefined || Number(length) > keptBody) return 'stream';
  if (length === '0') return Buffer.alloc(0);
  whenReady();
  return buffer(request);
}
