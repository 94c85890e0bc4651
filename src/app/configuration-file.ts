import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import {
  type ConfigurationFile,
  ConfigurationFileError,
  readConfigurationFile,
} from '../admin/configuration/file.ts';
import type { PlannedChange } from '../admin/configuration/plan-kind.ts';
import { configurationFaultsRoute, configurationRoutes } from '../admin/configuration/routes.ts';
import type { Examined } from '../admin/configuration/without-store.ts';
import { jsonBodies } from '../admin/json-body.ts';
import { problemHandler } from '../admin/problem.ts';
import type { Config } from '../config/config.ts';
import type { DeclaredSecrets } from '../config/declared-secrets.ts';
import { actingAs } from '../domain/acting-admin.ts';
import { adminScopes } from '../domain/admin-access.ts';
import { StoreUnavailable } from '../domain/oauth-error.ts';
import { listener } from '../http/listener/listener.ts';
import type { RandomId } from '../ports/ports.ts';
import { type AdminServerOptions, adminValidators } from './admin-server.ts';
import { registrationChecks } from './registration-checks.ts';

/**
 * Applies the file of CONFIG_FILE with the admin API's own operation, without pruning and on one
 * replica at a time. Throws ConfigurationFileError.
 */
export async function applyConfigurationFile(
  { path, secrets }: { readonly path: string; readonly secrets: DeclaredSecrets },
  options: AdminServerOptions,
): Promise<void> {
  const file = readConfigurationFile(path, textOf(path), secrets);
  await options.configuration.alone(async () => apply(file, options));
}

/**
 * The faults of the file of CONFIG_FILE that can be found without a database, one per line.
 * Warnings concern what the database may have. Throws ConfigurationFileError if the file cannot be
 * read.
 */
export async function configurationFileFaults(
  { path, secrets }: { readonly path: string; readonly secrets: DeclaredSecrets },
  config: Config,
): Promise<{ readonly faults: string; readonly warnings: readonly string[] }> {
  const file = readConfigurationFile(path, textOf(path), secrets);
  const app = validatingApp(pino({ level: 'silent' }), () => '');
  configurationFaultsRoute(app, registrationChecks(config));
  try {
    const url = '/admin/configuration';
    const answer = await app.inject({ method: 'POST', url, payload: file.body });
    const found = answer.json<Examined>();
    const faults = file.lines([...file.faults, ...found.faults]);
    if (faults !== '') return { faults, warnings: [] };
    const warnings = file.lines(found.warnings);
    return { faults, warnings: warnings === '' ? [] : warnings.split('\n') };
  } finally {
    await app.close();
  }
}

/** Reads bodies as the admin API does. */
function validatingApp(logger: Logger, randomId: RandomId): FastifyInstance {
  const app = listener(logger, randomId, 262_144);
  app.setValidatorCompiler(adminValidators);
  app.setErrorHandler(problemHandler);
  jsonBodies(app);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  return app;
}

async function apply(file: ConfigurationFile, options: AdminServerOptions): Promise<void> {
  const { logger, randomId } = options;
  // An internal request: only its failures are logged.
  const app = validatingApp(logger.child({}, { level: 'warn' }), randomId);
  const admin = { name: 'CONFIG_FILE', scopes: adminScopes };
  app.addHook('preHandler', (_request, _reply, done) => actingAs(admin, done));
  configurationRoutes(app, options);
  try {
    const answer = await app.inject({
      method: 'POST',
      url: `/admin/configuration?dry_run=${file.faults.length > 0}`,
      payload: file.body,
    });
    // The next start may succeed: the file is not at fault.
    if (answer.statusCode >= 500) throw new StoreUnavailable('database', answer.json().detail);
    const { detail = '', errors = [], changes = [] } = answer.json();
    const faults = [...file.faults, ...errors];
    if (faults.length > 0) throw new ConfigurationFileError(file.lines(faults));
    if (answer.statusCode !== 200) throw new ConfigurationFileError(detail);
    for (const change of changes) logChange(logger, change);
    logger.info({ changes: changes.length }, 'CONFIG_FILE is applied');
  } finally {
    await app.close();
  }
}

function logChange(
  logger: Logger,
  { action, kind, name, members }: Omit<PlannedChange, 'make'>,
): void {
  const names = members.map(({ member }) => member);
  const isEnabled = members.some(({ member, before }) => member === 'disabled' && before === true);
  const change = { action, kind, name, ...(action === 'change' && { members: names }) };
  if (isEnabled) logger.warn(change, 'CONFIG_FILE enables a client that was disabled');
  else logger.info(change, 'CONFIG_FILE changes what is registered');
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigurationFileError(`The file ${path} cannot be read.`, { cause });
  }
}
