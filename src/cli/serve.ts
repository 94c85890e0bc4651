import cluster from 'node:cluster';
import { inspect } from 'node:util';
import type { Logger } from 'pino';
import { type Config, readConfig } from '../config/config.ts';
import { withChosenPorts } from '../config/free-ports.ts';
import { messagesOf } from '../process/causes.ts';
import { whereSought } from '../process/database-faults.ts';
import { listenFault } from '../process/listen-faults.ts';
import { processLog } from '../process/logger.ts';
import { exitCodes } from './exit-codes.ts';

/** Names of errors that the operator can fix, shown without a stack trace. */
const operatorFaults: ReadonlySet<string> = new Set([
  'AdminTokenError',
  'ConfigError',
  'ConfigurationFileError',
  'DatabaseError',
  'KeyEncryptionError',
  'MigrationError',
  'RedisError',
  'StoreUnavailable',
]);

/** The database of this start, once it is known. */
let databaseUrl = '';

async function main(): Promise<void> {
  // stdout may be closed: ignore write errors. Replaces the command's listener, which would exit.
  process.stdout.removeAllListeners('error').on('error', () => undefined);
  const given = readConfig(process.env);
  databaseUrl = given.databaseUrl;
  // Other users must be kept from the gateway socket as soon as it exists.
  if (given.gateway !== undefined && 'path' in given.gateway.listen)
    process.umask(process.umask() | 0o007);
  const config = cluster.isWorker ? given : await withChosenPorts(given);
  if (config.workers === 1) {
    const { run } = await import('../process/run.ts');
    const logger = processLog(config.logLevel);
    warn(config, logger);
    return run(config, logger);
  }
  if (cluster.isWorker) {
    const [{ run }, { connectToSupervisor }] = await Promise.all([
      import('../process/run.ts'),
      import('../process/worker.ts'),
    ]);
    return run(config, processLog(config.logLevel, Number(process.argv[2])), connectToSupervisor());
  }
  const logger = processLog(config.logLevel);
  warn(config, logger);
  // The supervisor loads none of the server's code.
  const { supervise } = await import('../process/supervisor.ts');
  const code = await supervise({
    workers: config.workers,
    stopTimeout: config.shutdownDelayMs + config.shutdownTimeoutMs + 2000,
    logger,
    env: {
      PORT: String(config.port ?? 'off'),
      ADMIN_PORT: String(config.adminPort),
      ...(config.tls !== undefined && { TLS_PORT: String(config.tls.port) }),
      ...(config.gateway !== undefined &&
        'port' in config.gateway.listen && { GATEWAY_PORT: String(config.gateway.listen.port) }),
      ...(config.metrics !== undefined && { METRICS_PORT: String(config.metrics.port) }),
    },
    print: (text) => process.stdout.write(text),
  });
  process.exit(code);
}

function warn({ warnings }: Config, logger: Logger): void {
  for (const warning of warnings) logger.warn(warning);
}

main().catch((error: unknown) => {
  process.stderr.write(`Holdfast did not start.\n${cause(error)}\n`);
  process.exit(isConfigurationFault(error) ? exitCodes.configuration : exitCodes.failed);
});

/** Whether only a changed configuration helps, so that a service manager need not retry. */
function isConfigurationFault(error: unknown): boolean {
  return error instanceof Error && ['ConfigError', 'ConfigurationFileError'].includes(error.name);
}

/** Why the server did not start; one sentence if the operator can fix it. */
function cause(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  if (operatorFaults.has(error.name)) return sentences(error);
  return listenFault(error) ?? inspect(error);
}

/** What the operator needs to know, with every cause reported by another program. */
function sentences(error: Error): string {
  const [message = error.name, ...causes] = messagesOf(error);
  const lines = [message, ...causes.map((cause) => `Cause: ${cause}`)];
  return [...lines, whereSought(error, databaseUrl)]
    .filter((line) => line !== undefined)
    .join('\n');
}
