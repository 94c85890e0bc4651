import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { atRequestEnd } from '../request/request-end.ts';
import { shedBody, shedFields } from './shed-answer.ts';

/** Bodies on their way that a process holds at once, and bytes of them together. */
const [mostBodies, mostBytes] = [2000, 33_554_432];

/**
 * Bounds what half-sent bodies hold, which are in memory before anybody is authenticated and hold
 * no place. Beyond, the one that has been on its way for the longest time is refused: an honest
 * body comes with its head or a moment later, so nobody who sends slowly keeps others out.
 */
export function boundHalfSentBodies(
  app: FastifyInstance,
  bodies = mostBodies,
  bytes = mostBytes,
): void {
  /** Requests whose body is incomplete, the oldest first. */
  const open = new Map<FastifyRequest, { size: number; readonly reply: FastifyReply }>();
  let total = 0;
  const forget = (request: FastifyRequest) => {
    total -= open.get(request)?.size ?? 0;
    open.delete(request);
  };
  const makeRoom = () => {
    for (const [request, { reply }] of open) {
      if (open.size <= bodies && total <= bytes) return;
      forget(request);
      refuse(request, reply);
    }
  };
  app.addHook('preParsing', (request, reply, payload, done) => {
    if (request.method !== 'POST') return done(null, payload);
    const held = { size: 0, reply };
    open.set(request, held);
    makeRoom();
    payload.on('data', (chunk: Buffer) => {
      if (!open.has(request)) return;
      held.size += chunk.length;
      total += chunk.length;
      makeRoom();
    });
    payload.on('end', () => forget(request));
    atRequestEnd(reply.raw, () => forget(request));
    done(null, payload);
  });
}

function refuse(request: FastifyRequest, reply: FastifyReply): void {
  request.logFields = { error: 'temporarily_unavailable', reason: 'body_half_sent' };
  reply.hijack();
  // With them goes what has been read so far.
  for (const event of ['data', 'end', 'error']) request.raw.removeAllListeners(event);
  reply.raw.writeHead(503, { ...shedFields, connection: 'close' }).end(shedBody);
}
