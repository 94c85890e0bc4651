import cluster from 'node:cluster';
import { inspect } from 'node:util';
import type { Logger } from 'pino';
import { type Config, readConfig } from '../config/config.ts';
import { withChosenPorts } from '../config/free-ports.ts';
import { messagesOf } from '../process/causes.ts';
import { processLog } from '../process/logger.ts';
import { exitCodes } from './exit-codes.ts';

/** Names of errors that the operator can mend: a stack trace would only hide the sentence. */
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

async function main(): Promise<void> {
  // Nobody may read it any more: what writes there fails, and the server goes on. The listener of
  // the command, which would end this process, is of no use here.
  process.stdout.removeAllListeners('error').on('error', () => undefined);
  const given = readConfig(process.env);
  // The socket for gateways is closed to other users from the moment it is there.
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
  // The process that supervises loads nothing of the server.
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

/** Whether only another configuration helps: a service manager need not try it again. */
function isConfigurationFault(error: unknown): boolean {
  return error instanceof Error && ['ConfigError', 'ConfigurationFileError'].includes(error.name);
}

/** Why the server did not start: a sentence where the operator can mend it. */
function cause(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  if (operatorFaults.has(error.name)) return sentences(error);
  const { syscall, code = '', address, port } = error as ListenFault;
  const sentence = listenFaults[code];
  if (syscall !== 'listen' || sentence === undefined) return inspect(error);
  return `${[address, port].filter((part) => part !== undefined).join(' port ')}: ${sentence}`;
}

/** What Node.js says of a listener that cannot open. */
interface ListenFault extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
}

const listenFaults: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'another program listens there. End it, or choose another port (PORT, TLS_PORT, ADMIN_PORT, METRICS_PORT, GATEWAY_PORT).',
  EADDRNOTAVAIL:
    'this machine has no such address (HOST, TLS_HOST, ADMIN_HOST, METRICS_HOST, GATEWAY_HOST).',
  EACCES: 'this user may not listen there. Ports below 1024 need CAP_NET_BIND_SERVICE.',
};

/** What the operator needs to know, and every cause that another program named. */
function sentences(error: Error): string {
  const [message = error.name, ...causes] = messagesOf(error);
  return [message, ...causes.map((cause) => `Cause: ${cause}`)].join('\n');
}
