import type { Server } from 'node:http';
import type { Logger } from 'pino';
import { boundConnections, inactivity, serverLimits } from './server-limits.ts';

// As in on-demand-listener.ts.
const { createServer } = process.getBuiltinModule('node:http');

/** Answers a scrape. */
export type AnswerScrape = () => Promise<{ readonly contentType: string; readonly text: string }>;

/** Creates a listener that serves `GET /metrics` without a token, and nothing else. */
export function metricsListener(scrape: AnswerScrape, logger: Logger): Server {
  const server = createServer(serverLimits, (request, response) => {
    const isScrape = request.method === 'GET' && request.url?.split('?')[0] === '/metrics';
    if (!isScrape) {
      response.writeHead(404).end();
      return;
    }
    scrape().then(
      ({ contentType, text }) => response.writeHead(200, { 'content-type': contentType }).end(text),
      (err: unknown) => {
        logger.error({ err }, 'scrape failed');
        response.writeHead(500).end();
      },
    );
  });
  server.setTimeout(inactivity);
  boundConnections(server);
  return server;
}
