import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { startServer } from '../app/start-server.ts';
import type { Config } from '../config/config.ts';
import type { Supervisor } from './worker.ts';

/**
 * Serves in this process, alone or as one of several, until a signal ends it. Throws a sentence for
 * the operator on failure.
 */
export async function run(config: Config, logger: Logger, supervisor?: Supervisor): Promise<void> {
  let text = '';
  const server = await startServer(config, {
    clock: Date.now,
    randomId: randomUUID,
    logger,
    print: (words) => {
      text += words;
    },
    terminal: process.stdout.isTTY,
    ...(supervisor !== undefined && { peers: supervisor.peers }),
  });
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      logger.info({ signal }, 'stopping');
      server.stop().then(
        () => process.exit(0),
        (err: unknown) => {
          logger.error({ err }, 'stop failed');
          process.exit(1);
        },
      );
    });
  }
  if (supervisor === undefined) process.stdout.write(text);
  else {
    logger.info({ pid: process.pid }, 'serving');
    supervisor.running(text);
  }
}
