import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import {
  type ConfigurationFile,
  ConfigurationFileError,
  readConfigurationFile,
} from '../admin/configuration/file.ts';
import { configurationFaultsRoute, configurationRoutes } from '../admin/configuration/routes.ts';
import { jsonBodies } from '../admin/json-body.ts';
import { problemHandler } from '../admin/problem.ts';
import type { Fault } from '../admin/schema-fault.ts';
import type { DeclaredSecrets } from '../config/declared-secrets.ts';
import { actingAs } from '../domain/acting-admin.ts';
import { adminScopes } from '../domain/admin-access.ts';
import { listener } from '../http/listener/listener.ts';
import type { RandomId } from '../ports/ports.ts';
import { type AdminServerOptions, adminSchemas, strict } from './admin-server.ts';

/**
 * Applies the file that CONFIG_FILE names, by the admin API's own operation and without pruning,
 * while no other replica does. Throws ConfigurationFileError.
 */
export async function applyConfigurationFile(
  { path, secrets }: { readonly path: string; readonly secrets: DeclaredSecrets },
  options: AdminServerOptions,
): Promise<void> {
  const file = readConfigurationFile(path, textOf(path), secrets);
  await options.configuration.alone(async () => apply(file, options));
}

/**
 * The faults of the file that CONFIG_FILE names, one a line, as far as they can be told without a
 * database; empty if there is none. Throws ConfigurationFileError where it cannot be read.
 */
export async function configurationFileFaults({
  path,
  secrets,
}: {
  readonly path: string;
  readonly secrets: DeclaredSecrets;
}): Promise<string> {
  const file = readConfigurationFile(path, textOf(path), secrets);
  const app = validatingApp(pino({ level: 'silent' }), () => '');
  configurationFaultsRoute(app);
  try {
    const url = '/admin/configuration';
    const answer = await app.inject({ method: 'POST', url, payload: file.body });
    return file.lines([...file.faults, ...answer.json<Fault[]>()]);
  } finally {
    await app.close();
  }
}

/** Reads bodies as the admin API does. */
function validatingApp(logger: Logger, randomId: RandomId): FastifyInstance {
  const app = listener(logger, randomId, 262_144, strict);
  app.setErrorHandler(problemHandler);
  jsonBodies(app);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  for (const schema of adminSchemas) app.addSchema(schema);
  return app;
}

async function apply(file: ConfigurationFile, options: AdminServerOptions): Promise<void> {
  const { logger, randomId } = options;
  const app = validatingApp(logger, randomId);
  const admin = { name: 'CONFIG_FILE', scopes: adminScopes };
  app.addHook('preHandler', (_request, _reply, done) => actingAs(admin, done));
  configurationRoutes(app, options);
  try {
    const answer = await app.inject({
      method: 'POST',
      url: `/admin/configuration?dry_run=${file.faults.length > 0}`,
      payload: file.body,
    });
    const { detail = '', errors = [], changes = [] } = answer.json();
    const faults = [...file.faults, ...errors];
    if (faults.length > 0) throw new ConfigurationFileError(file.lines(faults));
    if (answer.statusCode !== 200) throw new ConfigurationFileError(detail);
    logger.info({ changes: changes.length }, 'CONFIG_FILE is applied');
  } finally {
    await app.close();
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ConfigurationFileError(`The file ${path} cannot be read.`, { cause });
  }
}
