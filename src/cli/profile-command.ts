import { access, constants, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { refusePlainHttp } from '../../packages/client/src/options.ts';
import { fileReason } from '../config/text-file.ts';
import { defined } from '../domain/defined.ts';
import { configurationError, usageError } from './exit-codes.ts';
import { httpUrl } from './http-target.ts';
import { publicJwkOfProfile } from './profile-key.ts';
import { type Profile, profilesPath, readProfiles, writeProfiles } from './profiles-file.ts';
import { readInput, withoutLineBreak } from './secret.ts';
import { printJson, printTable, type Terminal } from './terminal.ts';

export interface ProfileSetOptions {
  readonly issuer?: string;
  readonly clientId?: string;
  readonly clientSecretFile?: string;
  readonly authentication?: NonNullable<Profile['authentication']>;
  readonly keyFile?: string;
  readonly workloadTokenFile?: string;
  readonly kid?: string;
  readonly alg?: NonNullable<Profile['alg']>;
  readonly resource?: string;
  readonly scope?: string;
  readonly origin?: readonly string[];
}

/** Creates a profile or changes some of its members; prints the public key to register. */
export async function setProfile(
  terminal: Terminal,
  name: string,
  options: ProfileSetOptions,
): Promise<void> {
  checkUrls(options);
  const path = profilesPath(terminal.env);
  const profiles = await readProfiles(path);
  const before = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  const profile: Profile = { ...before, ...(await changes(terminal, options, before)) };
  const entries = Object.entries(profiles).filter(([other]) => other !== name);
  await warnOfFiles(terminal, options);
  await writeProfiles(path, Object.fromEntries([...entries, [name, profile]]));
  terminal.stderr.write(`The profile ${JSON.stringify(name)} is in ${path}.\n`);
}

/** Refuses URLs that every later use would refuse. Throws CommandError. */
function checkUrls({ issuer, origin = [] }: ProfileSetOptions): void {
  const check = (option: string, url: string) => {
    try {
      refusePlainHttp(httpUrl(url), false);
    } catch (error) {
      throw usageError(`${option}: ${(error as Error).message}`);
    }
  };
  if (issuer !== undefined) check('--issuer', issuer);
  for (const url of origin) check('--origin', url);
}

async function changes(
  terminal: Terminal,
  options: ProfileSetOptions,
  before: Profile | undefined,
): Promise<Profile> {
  const { issuer, clientId: client_id, authentication, kid, alg, resource, scope } = options;
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(path));
  const changed: Profile = {
    ...defined({ issuer, client_id, authentication, kid, alg, resource, scope }),
    ...defined({
      key_file: absolute(options.keyFile),
      workload_token_file: absolute(options.workloadTokenFile),
      origins: options.origin && [...options.origin],
    }),
    ...(await secretChange(terminal, options.clientSecretFile)),
  };
  if (Object.keys(changed).length === 0 && before !== undefined)
    throw usageError('Say what to change: see holdfast profile set --help.');
  return changed;
}

/** Warns of files that cannot be read now, or that others can read; they are read at each use. */
async function warnOfFiles(
  { stderr }: Terminal,
  { clientSecretFile, workloadTokenFile }: ProfileSetOptions,
): Promise<void> {
  for (const file of [clientSecretFile, workloadTokenFile]) {
    if (file === undefined || file === '-') continue;
    try {
      await access(file, constants.R_OK);
      // Windows lacks these bits.
      if (process.platform !== 'win32' && ((await stat(file)).mode & 0o004) !== 0)
        stderr.write(`warning: Others may read ${file}: chmod 600 it.\n`);
    } catch (error) {
      stderr.write(`warning: The file ${file} cannot be read: ${fileReason(error)}.\n`);
    }
  }
}

async function secretChange(terminal: Terminal, path: string | undefined) {
  if (path === undefined) return {};
  if (path !== '-') return { client_secret_file: resolve(path), client_secret: undefined };
  const secret = withoutLineBreak(await readInput(terminal, '-'));
  if (secret === '') throw usageError('Standard input has no secret.');
  return { client_secret: secret, client_secret_file: undefined };
}

/** Lists the profiles, without secrets. */
export async function listProfiles(terminal: Terminal, json: boolean): Promise<void> {
  const profiles = await readProfiles(profilesPath(terminal.env));
  const shown = Object.entries(profiles).map(([name, profile]) => ({ name, ...shownOf(profile) }));
  if (json) return printJson(terminal, shown);
  printTable(
    terminal,
    shown.map(({ name, issuer = '', client_id = '', resource = '' }) => [
      name,
      issuer,
      client_id,
      resource,
    ]),
  );
}

/** Shows one profile, without its secret, and the public key to register. */
export async function showProfile(terminal: Terminal, name: string, json: boolean): Promise<void> {
  const profile = await found(terminal, name);
  const shown = { name, ...shownOf(profile), public_jwk: await publicJwkOfProfile(profile) };
  if (json) return printJson(terminal, shown);
  printTable(
    terminal,
    Object.entries(shown)
      .filter(([, value]) => value !== undefined)
      .map(([member, value]) => [
        member,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
  );
}

/** Removes a profile; its key file stays. */
export async function removeProfile(terminal: Terminal, name: string): Promise<void> {
  await found(terminal, name);
  const path = profilesPath(terminal.env);
  const rest = Object.entries(await readProfiles(path)).filter(([other]) => other !== name);
  await writeProfiles(path, Object.fromEntries(rest));
  terminal.stderr.write(`The profile ${JSON.stringify(name)} is removed; its key stays.\n`);
}

async function found({ env }: Terminal, name: string): Promise<Profile> {
  const path = profilesPath(env);
  const profiles = await readProfiles(path);
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined;
  if (profile === undefined)
    throw configurationError(`There is no profile ${JSON.stringify(name)} in ${path}.`);
  return profile;
}

function shownOf({ client_secret, ...profile }: Profile): Profile {
  return client_secret === undefined ? profile : { ...profile, client_secret: '(stored)' };
}
