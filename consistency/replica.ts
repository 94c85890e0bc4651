import { randomBytes } from 'node:crypto';
import pino from 'pino';
import { startServer } from '../src/app/start-server.ts';
import { readConfig } from '../src/config/config.ts';

/** A message to a replica. */
export interface ReplicaMessage {
  /** Milliseconds by which its clock is ahead. */
  readonly clockOffset: number;
}

// A process of the server whose clock the run can move.
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
