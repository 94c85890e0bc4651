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

/** Maximum bytes of a body that is kept for sending again. */
export const keptBody = 64 * 1024;

/** Sends a request with token and proof, and retries if the answer tells how to succeed. */
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
      // The API had closed the idle connection, so it has not seen the request.
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

/** Reads a short answer to its end to keep the connection; drops a long one. */
async function drain(message: IncomingMessage): Promise<void> {
  const timer = setTimeout(() => message.destroy(), 1000);
  let left = keptBody;
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      left -= chunk.length;
      if (left < 0) break;
    }
  } catch {
    // The content is not needed.
  } finally {
    clearTimeout(timer);
  }
}

/** Returns an answer unchanged: redirects are not followed, nothing is decoded. */
export async function handBack({ message }: Answer, response: ServerResponse): Promise<void> {
  const { statusCode = 502, statusMessage = '', rawHeaders, headers } = message;
  const length = headers['content-length'];
  response.sendDate = false;
  try {
    response.writeHead(statusCode, statusMessage, [
      ...endToEnd(rawHeaders),
      ...(length === undefined ? [] : ['Content-Length', length]),
    ]);
    // Events may follow much later.
    response.flushHeaders();
    await pipeline(message, response);
  } finally {
    // Writing can fail, for example for status 099.
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
