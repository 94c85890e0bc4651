import type { HealthChecks } from '../http/routes/health-routes.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import { type WriteCheck, writeCheck } from './write-check.ts';

export interface ReadinessOptions {
  readonly pingDatabase: () => Promise<void>;
  readonly pingReplay: () => Promise<void>;
  readonly writeToDatabase: () => Promise<void>;
  /** Absent if the database holds the replay records. */
  readonly writeToReplay?: (() => Promise<void>) | undefined;
  readonly keys: readonly Pick<SigningKeys, 'missing'>[];
}

/**
 * Creates the checks of `/health/ready`. `start` begins the test writes and returns a function that
 * stops them.
 */
export function readiness({
  pingDatabase,
  pingReplay,
  writeToDatabase,
  writeToReplay,
  keys,
}: ReadinessOptions): { readonly checks: HealthChecks; start(): () => void } {
  const database = writeCheck(writeToDatabase);
  const replay = writeToReplay === undefined ? database : writeCheck(writeToReplay);
  const writeChecks = new Set([database, replay]);
  const answersAndTakes =
    (ping: () => Promise<void>, { check }: WriteCheck) =>
    async () =>
      void (await Promise.all([ping(), check()]));
  return {
    checks: {
      database: answersAndTakes(pingDatabase, database),
      replay: answersAndTakes(pingReplay, replay),
      signing_keys: async () => checkKeys(keys),
    },
    start() {
      const stops = [...writeChecks].map(({ start }) => start());
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

/** Uses the last copy read; an outage is reported under `database`. */
function checkKeys(keys: ReadinessOptions['keys']): void {
  const missing = keys.flatMap((each) => each.missing());
  if (missing.length > 0) throw new Error(`no signing key for ${missing.join(', ')}`);
}
