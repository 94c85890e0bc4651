import { randomBytes } from 'node:crypto';
import pino from 'pino';
import { startServer } from '../src/app/start-server.ts';
import { readConfig } from '../src/config/config.ts';

/** What the run tells a replica. */
export interface ReplicaMessage {
  /** Milliseconds by which its clock is ahead from now on. */
  readonly clockOffset: number;
}

// One process of the server as `src/serve.ts` starts it, but with a clock that the run moves.
let offset = 0;
process.on('message', ({ clockOffset }: ReplicaMessage) => {
  offset = clockOffset;
});
process.on('disconnect', () => process.exit());
const config = readConfig(process.env);
await startServer(config, {
  clock: () => Date.now() + offset,
  randomId: () => randomBytes(16).toString('base64url'),
  logger: pino({ level: config.logLevel, base: { service: 'holdfast' } }),
  print: () => undefined,
});
