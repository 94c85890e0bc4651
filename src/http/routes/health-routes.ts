import type { FastifyInstance } from 'fastify';

/** Whether each part works; readiness needs all of them. */
export type HealthChecks = Readonly<Record<string, () => Promise<void>>>;

/** Paths of the health checks. */
export const healthPaths: readonly string[] = ['/health/live', '/health/ready'];

/** Maximum milliseconds for one check. */
const checkTimeout = 1500;

/**
 * `GET /health/live`: the process answers. `GET /health/ready`: it can serve; names the part that
 * is down, and fails first at shutdown.
 */
export function healthRoutes(
  app: FastifyInstance,
  checks: HealthChecks,
  stopping: () => boolean,
): void {
  app.get('/health/live', async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ status: 'live' }),
  );
  app.get('/health/ready', async (request, reply) => {
    const parts = Object.fromEntries(
      await Promise.all(
        Object.entries(checks).map(async ([part, check]) => {
          try {
            await withTimeout(check());
            return [part, 'up'] as const;
          } catch (err) {
            request.log.warn({ reqId: request.id, err, part }, 'health check failed');
            return [part, 'down'] as const;
          }
        }),
      ),
    );
    const ready = !stopping() && Object.values(parts).every((state) => state === 'up');
    const status = stopping() ? 'stopping' : ready ? 'ready' : 'not_ready';
    return reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status, ...parts });
  });
}

async function withTimeout(check: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('health check timed out')), checkTimeout);
  });
  try {
    await Promise.race([check, late]);
  } finally {
    clearTimeout(timer);
  }
}
