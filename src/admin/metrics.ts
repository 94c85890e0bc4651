import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { operation } from './operation.ts';

/** Mounts `GET /metrics` for Prometheus, which requires an admin token. */
export function metricsRoute(
  app: FastifyInstance,
  scrape: () => Promise<{ readonly contentType: string; readonly text: string }>,
): void {
  const exposition = {
    'text/plain': { schema: Type.String({ examples: ['holdfast_workers 1'] }) },
  };
  const described = {
    tag: 'Metrics' as const,
    operationId: 'getMetrics',
    summary: 'Read the metrics for Prometheus',
    description:
      'Returns every series in the Prometheus text format, summed over the processes of this machine.',
    answers: { 200: { description: 'The series.', content: exposition } },
    storeless: true as const,
  };
  app.get('/metrics', operation(described), async (_request, reply) => {
    const { contentType, text } = await scrape();
    return reply.type(contentType).send(text);
  });
}
