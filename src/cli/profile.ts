import type { HolderOptions } from '../../packages/client/src/options.ts';
import { defined } from '../domain/defined.ts';
import { configurationError } from './exit-codes.ts';
import { type Profile, profilesPath, readProfiles } from './profiles-file.ts';
import { secretInFile, secretOf } from './secret.ts';
import type { Terminal } from './terminal.ts';

/** Options of every client subcommand; they override the profile. */
export interface ProfileOptions {
  readonly profile?: string;
  readonly issuer?: string;
  readonly clientId?: string;
  readonly resource?: string;
  readonly scope?: string;
  readonly keyFile?: string;
  readonly workloadTokenFile?: string;
}

/** The profile of a run: options override variables, which override the file. */
export interface ChosenProfile extends Profile {
  readonly name: string;
}

/** Chooses the profile. A name that the user gave must exist. Throws CommandError. */
export async function chosenProfile(
  { env }: Pick<Terminal, 'env'>,
  options: ProfileOptions,
): Promise<ChosenProfile> {
  const given = options.profile ?? variable(env, 'PROFILE');
  const path = profilesPath(env);
  const profiles = await readProfiles(path);
  const name = given ?? 'default';
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile === undefined && given !== undefined)
    throw configurationError(
      `There is no profile ${JSON.stringify(name)} in ${path}: holdfast profile set creates one.`,
    );
  const over = {
    issuer: options.issuer ?? variable(env, 'ISSUER'),
    client_id: options.clientId ?? variable(env, 'CLIENT_ID'),
    resource: options.resource ?? variable(env, 'RESOURCE'),
    scope: options.scope ?? variable(env, 'SCOPE'),
    key_file: options.keyFile ?? variable(env, 'KEY_FILE'),
    workload_token_file: options.workloadTokenFile ?? variable(env, 'WORKLOAD_TOKEN_FILE'),
  };
  // `origins` belong to the resource of the profile.
  const { origins, ...rest } = profile ?? {};
  const kept = origins !== undefined && over.resource === undefined ? { origins } : {};
  return { ...rest, ...kept, ...defined(over), name };
}

/** Options of `createHolder` for this profile. Throws CommandError. */
export async function holderOptions(
  terminal: Pick<Terminal, 'env' | 'clock'>,
  profile: ChosenProfile,
): Promise<HolderOptions> {
  const { issuer, client_id: clientId, resource, scope, origins, kid, alg } = profile;
  if (issuer === undefined) throw missing('issuer', profile);
  if (clientId === undefined) throw missing('client-id', profile);
  return {
    issuer,
    clientId,
    authentication: await authenticationOf(terminal, profile),
    ...(profile.key_file !== undefined && { key: { file: profile.key_file } }),
    ...defined({ kid, alg, resource, scope, origins }),
    clock: terminal.clock,
  };
}

async function authenticationOf(
  { env }: Pick<Terminal, 'env'>,
  profile: ChosenProfile,
): Promise<NonNullable<HolderOptions['authentication']>> {
  const { authentication: method, client_secret, client_secret_file } = profile;
  const { workload_token_file: file } = profile;
  if (method === 'private_key_jwt' || method === 'none') return { method };
  if (method === 'workload_jwt' || method === 'spiffe_jwt' || file !== undefined) {
    if (file === undefined) throw missing('workload-token-file', profile);
    return { method: method === 'spiffe_jwt' ? method : 'workload_jwt', token: { file } };
  }
  const secret =
    (await secretOf({ env }, 'HOLDFAST_CLIENT_SECRET')) ??
    client_secret ??
    (client_secret_file === undefined ? undefined : await secretInFile(client_secret_file));
  if (secret !== undefined) return { method: method ?? 'client_secret_basic', secret };
  if (method === undefined) return { method: 'private_key_jwt' };
  throw configurationError(
    `The profile ${JSON.stringify(profile.name)} has no client secret: ` +
      'set HOLDFAST_CLIENT_SECRET_FILE, or use holdfast profile set --client-secret-file.',
  );
}

function missing(option: string, { name }: ChosenProfile) {
  const variableName = `HOLDFAST_${option.toUpperCase().replaceAll('-', '_')}`;
  return configurationError(
    `The profile ${JSON.stringify(name)} has no ${option}: ` +
      `give --${option}, set ${variableName}, or use holdfast profile set.`,
  );
}

function variable(env: Terminal['env'], name: string): string | undefined {
  const value = env[`HOLDFAST_${name}`];
  return value === '' ? undefined : value;
}
