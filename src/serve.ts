import cluster from 'node:cluster';
import { inspect } from 'node:util';
import { readConfig } from './config.ts';
import { messagesOf } from './process/causes.ts';
import { processLog } from './process/log.ts';

/** Names of errors that the operator can mend: the sentence is enough, a stack trace would only hide it. */
const operatorFaults: ReadonlySet<string> = new Set([
  'ConfigError',
  'DatabaseError',
  'KeyEncryptionError',
  'MigrationError',
  'StoreUnavailable',
]);

async function main(): Promise<void> {
  const config = readConfig(process.env);
  if (config.workers === 1) {
    const { run } = await import('./process/run.ts');
    return run(config, processLog(config.logLevel));
  }
  if (cluster.isWorker) {
    const [{ run }, { supervisor }] = await Promise.all([
      import('./process/run.ts'),
      import('./process/worker.ts'),
    ]);
    return run(config, processLog(config.logLevel, Number(process.argv[2])), supervisor());
  }
  // The process that supervises loads nothing of the server.
  const { supervise } = await import('./process/supervise.ts');
  const code = await supervise({
    workers: config.workers,
    stopTimeout: config.shutdownDelayMs + config.shutdownTimeoutMs + 2000,
    logger: processLog(config.logLevel),
    print: (text) => process.stdout.write(text),
  });
  process.exit(code);
}

main().catch((error: unknown) => {
  const mendable = error instanceof Error && operatorFaults.has(error.name);
  process.stderr.write(
    `Holdfast did not start.\n${mendable ? sentences(error) : inspect(error)}\n`,
  );
  process.exit(1);
});

/** What the operator needs to know, and every cause that another program named. */
function sentences(error: Error): string {
  const [message = error.name, ...causes] = messagesOf(error);
  return [message, ...causes.map((cause) => `Cause: ${cause}`)].join('\n');
}
