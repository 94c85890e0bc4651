import { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type Type from 'typebox';
import { takingTurns } from '../../domain/turns.ts';
import { answer, operation, ref } from '../operation.ts';
import { Problem } from '../problem.ts';
import { ifMatch, matches } from '../rest-resource.ts';
import { type Fault, faultOf } from '../schema-fault.ts';
import { exportConfiguration } from './export.ts';
import { type Plan, planConfiguration } from './plan.ts';
import type { ConfigurationOptions } from './planning.ts';
import { applyQuery, type Configuration, configurationBody, planned } from './schemas.ts';
import { type ChecksWithoutStore, examineWithoutStore } from './without-store.ts';

const path = '/admin/configuration';
const tag = 'Configuration' as const;
/** Bytes; enough for some ten thousand clients. */
const bodyLimit = 8 * 1024 * 1024;
/** Milliseconds for a plan and its transaction: thousands of clients take a while. */
const patience = 300_000;
/** How often planning is retried after a concurrent change. */
const tries = 3;
/** How many plans yield to other requests; the last run without yielding, so that they finish. */
const yielding = 2;

type Apply = FastifyRequest<{
  Querystring: Type.Static<typeof applyQuery>;
  Headers: Type.Static<typeof ifMatch>;
  Body: Configuration;
}>;

/** Routes that read and apply all registrations as one configuration. */
export function configurationRoutes(app: FastifyInstance, options: ConfigurationOptions): void {
  const { configuration } = options;
  const whole = answer('All registrations.', ref(configurationBody), { etag: true });
  const read = operation({
    operationId: 'getConfiguration',
    summary: 'Read all registrations',
    tag,
    description: 'Returns all registrations as a configuration declares them, without secrets.',
    answers: { 200: whole },
  });
  app.get(path, read, async (_request, reply) => {
    // Read first, so that a concurrent change makes the entity tag stale.
    const version = await configuration.version();
    return reply.header('etag', `"${version}"`).send(await exportConfiguration(options));
  });
  applyRoute(app, options);
}

function applyRoute(app: FastifyInstance, options: ConfigurationOptions): void {
  const apply = operation({
    operationId: 'applyConfiguration',
    summary: 'Apply a configuration',
    tag,
    description:
      'Creates and changes whatever differs from the body, in one transaction, and ' +
      'returns the changes. Secrets stay unless a new one is given. `ETag` is the state ' +
      'of all registrations. With `dry_run=true` it only reports, and needs ' +
      '`configuration:read`.',
    querystring: applyQuery,
    headers: ifMatch,
    body: ref(configurationBody),
    answers: { 200: planned },
    refuses: [412],
  });
  const route = { ...apply, attachValidation: true, bodyLimit };
  app.post(path, route, async (request: Apply, reply) => {
    const known = schemaFaults(request);
    const { socket } = request.raw;
    // A connection silent for longer is closed; CONFIG_FILE has none.
    if (socket instanceof Socket) socket.setTimeout(patience);
    const { dry_run: dryRun = 'false', prune = 'false' } = request.query;
    const asked = { known, prune: prune === 'true', dryRun: dryRun === 'true' };
    const { version, plan } = await applied(request, asked, options);
    const { changes, unchanged } = plan;
    return reply.header('etag', `"${version}"`).send({
      dry_run: asked.dryRun,
      changes: changes.map(({ make: _, ...shown }) => shown),
      unchanged,
    });
  });
}

/** Mounts a route that examines a configuration without a store. */
export function configurationFaultsRoute(app: FastifyInstance, checks: ChecksWithoutStore): void {
  const route = { schema: { body: ref(configurationBody) }, attachValidation: true, bodyLimit };
  app.post(path, route, async (request) =>
    examineWithoutStore((request as Apply).body, schemaFaults(request as Apply), checks),
  );
}

/** The schema's faults of the body. Throws those of any other part. */
function schemaFaults({ validationError }: Apply): readonly Fault[] {
  if (validationError === undefined) return [];
  if (validationError.validationContext !== 'body') throw validationError;
  return validationError.validation.map(faultOf);
}

async function applied(
  request: Apply,
  asked: { readonly known: readonly Fault[]; readonly prune: boolean; readonly dryRun: boolean },
  options: ConfigurationOptions,
): Promise<{ readonly version: string; readonly plan: Plan }> {
  const { configuration } = options;
  const { body, headers } = request;
  for (let tried = 0; ; tried += 1) {
    const version = await configuration.version();
    if (!matches(headers['if-match'], `"${version}"`))
      throw new Problem(412, 'something was registered, changed or deleted since it was read');
    const turn = tried < yielding ? takingTurns() : async () => undefined;
    const plan = await planConfiguration(body, { ...asked, turn }, options);
    if (asked.dryRun || plan.changes.length === 0) return { version, plan };
    for (const alg of plan.algorithms) await options.ensureSigningKey(alg);
    const isDone = await configuration.commit(version, async (registrations) => {
      const deletions = plan.changes.filter(({ action }) => action === 'delete');
      const others = plan.changes.filter(({ action }) => action !== 'delete');
      for (const { make } of [...deletions.reverse(), ...others]) {
        await turn();
        await make(registrations);
      }
      await checkStillMay(request);
    });
    if (isDone) return { version: await configuration.version(), plan };
    if (tried === tries) throw new Problem(412, 'the registrations kept changing; try again');
  }
}

/** Refuses what was planned for an admin who may do less now. Throws Problem, StoreUnavailable. */
async function checkStillMay(request: Apply): Promise<void> {
  const { scopes: before = [] } = request.admin ?? {};
  await request.admitAgain?.();
  const lost = before.find((scope) => request.admin?.scopes.includes(scope) !== true);
  if (lost !== undefined)
    throw new Problem(
      403,
      `this admin lost the scope ${lost} in the meantime; nothing was changed`,
    );
}
