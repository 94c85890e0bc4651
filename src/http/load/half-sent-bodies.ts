import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { atRequestEnd } from '../request/request-end.ts';
import { shedBody, shedFields } from './shed-answer.ts';

/** Maximum incomplete bodies of a process, and their total bytes. */
const [mostBodies, mostBytes] = [2000, 33_554_432];

/**
 * Bounds the memory of half-sent bodies, which come before authentication and hold no place. Beyond
 * the bound, the oldest is refused: a normal body arrives with its head or a moment later, so slow
 * senders keep nobody out.
 */
export function boundHalfSentBodies(
  app: FastifyInstance,
  bodies = mostBodies,
  bytes = mostBytes,
): void {
  /** Requests whose body is incomplete, oldest first. */
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
  // This also drops what has been read so far.
  for (const event of ['data', 'end', 'error']) request.raw.removeAllListeners(event);
  reply.raw.writeHead(503, { ...shedFields, connection: 'close' }).end(shedBody);
}
