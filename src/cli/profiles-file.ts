import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { fileReason } from '../config/text-file.ts';
import { configurationError } from './exit-codes.ts';
import { writePrivateFile } from './private-file.ts';
import { authenticationMethods, keyAlgorithms } from './profile-choices.ts';
import type { Terminal } from './terminal.ts';

const text = v.pipe(v.string(), v.minLength(1));

const profileSchema = v.strictObject({
  issuer: v.optional(text),
  client_id: v.optional(text),
  /** Read from a file each time; never together with `client_secret`. */
  client_secret_file: v.optional(text),
  client_secret: v.optional(text),
  authentication: v.optional(v.picklist(authenticationMethods)),
  /** File in which the platform keeps this workload's token. */
  workload_token_file: v.optional(text),
  key_file: v.optional(text),
  kid: v.optional(text),
  alg: v.optional(v.picklist(keyAlgorithms)),
  resource: v.optional(text),
  scope: v.optional(text),
  origins: v.optional(v.array(text)),
});

// Valibot's `record` drops `__proto__`, `prototype` and `constructor`, which are valid names here.
const fileSchema = v.strictObject({ profiles: v.pipe(v.unknown(), v.check(isObject)) });

/** One profile; members are named as the authorization server names them. */
export type Profile = v.InferOutput<typeof profileSchema>;

/** Profiles by name. */
export type Profiles = Readonly<Record<string, Profile>>;

/** `$XDG_CONFIG_HOME/holdfast/config.json`, or the same under `~/.config`. */
export function profilesPath({ XDG_CONFIG_HOME: config }: Terminal['env']): string {
  const folder = config !== undefined && config !== '' ? config : join(homedir(), '.config');
  return join(folder, 'holdfast/config.json');
}

/** Profiles in the file, empty if there is no file. Throws CommandError. */
export async function readProfiles(path: string): Promise<Profiles> {
  let content: string;
  try {
    // Windows lacks these bits; there the user's folder protects the file.
    if (process.platform !== 'win32' && ((await stat(path)).mode & 0o077) !== 0)
      throw configurationError(`Others may read ${path}, which may hold secrets: chmod 600 it.`);
    content = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return {};
    if (code === undefined) throw error;
    throw configurationError(`${path} cannot be read: ${fileReason(error)}.`);
  }
  const { profiles } = parsed(fileSchema, jsonOf(content, path), path);
  const entries = Object.entries(profiles as object).map(
    ([name, profile]: [string, unknown]) =>
      [name, parsed(profileSchema, profile, path, `profiles.${name}`)] as const,
  );
  return Object.fromEntries(entries);
}

/** Throws CommandError, which names only the place, because the value may be a secret. */
function parsed<const Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  path: string,
  above?: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const place = [above, v.getDotPath(issue)].filter((part) => part != null).join('.');
  const expected = issue.expected ?? 'Object';
  throw configurationError(`${path} has a fault at ${place || 'its top'}: expected ${expected}.`);
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Replaces the file in one step; only its owner may read it. Throws CommandError. */
export async function writeProfiles(path: string, profiles: Profiles): Promise<void> {
  try {
    await writePrivateFile(path, `${JSON.stringify({ profiles }, null, 2)}\n`);
  } catch (error) {
    throw configurationError(`${path} cannot be written: ${fileReason(error)}.`);
  }
}

function jsonOf(content: string, path: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    throw configurationError(`${path} is not JSON.`);
  }
}
