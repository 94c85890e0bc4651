import { randomBytes } from 'node:crypto';
import pino from 'pino';
import { ConfigError, readConfig } from './config.ts';
import { startServer } from './server.ts';
import { KeyEncryptionError } from './signing-keys/key-encryption.ts';
import { MigrationError } from './store/migrate.ts';

/** Faults that the operator can mend: the sentence is enough, a stack trace would only hide it. */
const operatorFaults = [ConfigError, KeyEncryptionError, MigrationError];

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = pino({ level: config.logLevel, base: { service: 'holdfast' } });
  const server = await startServer(config, {
    clock: Date.now,
    randomId: () => randomBytes(16).toString('base64url'),
    logger,
    print: (text) => process.stdout.write(text),
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
}

main().catch((error: unknown) => {
  const mendable = operatorFaults.some((kind) => error instanceof kind);
  process.stderr.write(`Holdfast did not start.\n${mendable ? sentences(error as Error) : error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
});

/** What the operator needs to know, and the cause where another program named it. */
function sentences({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}\nCause: ${cause.message}` : message;
}
