import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import type { Logger } from 'pino';
import type { Measurements } from '../../ports/measurements.ts';
import type { RandomId } from '../../ports/ports.ts';
import type { Tracing } from '../../ports/tracing.ts';
import { answerUnparsable, refuseAmbiguousMessages } from '../request/message-framing.ts';
import { logRequests } from './request-log.ts';
import { answerHalfClosed, boundConnections, inactivity, serverLimits } from './server-limits.ts';

/** Observers of every request. */
export interface Observers {
  readonly measured?: Pick<Measurements, 'request'>;
  readonly tracing?: Tracing | undefined;
}

// Without a compiler, a route with a schema does not mount, and no validator is loaded.
const noSchemas = (): never => {
  throw new Error('this listener checks nothing by a schema');
};
const noValidation: Pick<FastifyServerOptions, 'schemaController'> = {
  schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
};

/**
 * Creates a Fastify instance for a listener: timeouts, our own request ids, one log line per
 * request. `bodyLimit` in bytes.
 */
export function listener(
  logger: Logger,
  randomId: RandomId,
  bodyLimit: number,
  { measured, tracing }: Observers = {},
): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    ...noValidation,
    // A logger per request would cost more than its line; each line names its request itself.
    childLoggerFactory: (all) => all,
    genReqId: () => randomId(),
    bodyLimit,
    // Refuses a target that cannot be decoded in the usual form; Fastify's own answer would repeat
    // it.
    frameworkErrors: (error, request, reply) => request.server.errorHandler(error, request, reply),
    clientErrorHandler: answerUnparsable,
    routerOptions: { maxParamLength: 1024 },
    return503OnClosing: false,
    // On a stop, idle connections close immediately, the others after their answer.
    forceCloseConnections: 'idle',
    http: serverLimits,
    requestTimeout: serverLimits.requestTimeout,
    keepAliveTimeout: serverLimits.keepAliveTimeout,
    connectionTimeout: inactivity,
  }) as unknown as FastifyInstance;
  boundConnections(app.server);
  answerHalfClosed(app.server);
  logRequests(app, measured, tracing);
  refuseAmbiguousMessages(app);
  return app;
}
