import Fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { RandomId } from '../ports.ts';
import { logRequests } from './logging.ts';

/** Milliseconds: a client that is slower than this to send its request is cut off (slow-loris). */
const timeouts = { requestTimeout: 10_000, connectionTimeout: 30_000, keepAliveTimeout: 72_000 } as const;

/** A Fastify instance as both listeners need it: time-outs, request ids of our own, one log line a request. */
export function listener(logger: Logger, randomId: RandomId, bodyLimit: number): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger as unknown as NonNullable<Parameters<typeof Fastify>[0]>['loggerInstance'] & object,
    disableRequestLogging: true,
    // What was sent is what is judged: nothing is dropped, nothing is converted.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
    genReqId: () => randomId(),
    bodyLimit,
    routerOptions: { maxParamLength: 1024 },
    return503OnClosing: false,
    ...timeouts,
  }) as unknown as FastifyInstance;
  logRequests(app);
  return app;
}
