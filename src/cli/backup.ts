import { randomUUID } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  linkSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Config, ConfigError, readConfig } from '../config/config.ts';
import { databaseFile, databaseKind, fileUrl } from '../config/database-url.ts';
import { checkDatabase } from './doctor/check-database.ts';
import { lookAtDatabase } from './doctor/database-look.ts';
import { configurationError, failed, usageError } from './exit-codes.ts';
import { withFullStop } from './failure.ts';
import { checkDump, databaseArgument, schemaArgument, shellWord } from './postgresql-dump.ts';
import { codeOf } from './secret.ts';
import { type ServeOptions, serveVariables } from './serve-command.ts';
import { printable, printJson, type Terminal } from './terminal.ts';

export interface BackupOptions extends ServeOptions {
  readonly json?: boolean;
  /** Only checks an existing backup. */
  readonly check?: boolean;
}

/** The configuration of the server that this environment is for. Throws CommandError. */
export function serverConfig({ env }: Pick<Terminal, 'env'>, options: ServeOptions): Config {
  try {
    return readConfig({ ...env, ...serveVariables(env, options) });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw configurationError(error.message.split('\n').map(printable).join('\n'));
  }
}

/** The path of the server's SQLite file. */
export function serverFile({ databaseUrl }: Config): string {
  return resolve(databaseFile(databaseUrl));
}

/** Backs up the database of a running server, or prints how, and checks the backup. */
export async function backup(
  terminal: Terminal,
  file: string,
  options: BackupOptions,
): Promise<void> {
  const config = serverConfig(terminal, options);
  const sqlite = databaseKind(config.databaseUrl) === 'sqlite';
  if (options.check !== true && !sqlite) {
    const [database, quoted] = [databaseArgument(terminal, config.databaseUrl), shellWord(file)];
    const schema = schemaArgument(config.databaseUrl);
    terminal.stderr.write(
      `pg_dump -Fc ${database}${schema} -f ${quoted}\nholdfast backup --check ${quoted}\n`,
    );
    throw failed('No backup was made: use the two lines above, which are for PostgreSQL.');
  }
  if (options.check !== true) await copySqlite(serverFile(config), file);
  await (sqlite ? checkSqlite(file, config, terminal) : checkDump(file, config));
  const { size } = statSync(file);
  if (options.json === true) printJson(terminal, { file, size, checked: true });
  else terminal.stdout.write(`${file}: ${size} bytes, checked.\n`);
  terminal.stderr.write(
    `The key-encryption key is not in it: back up ${keyPlace(config)} somewhere else.\n`,
  );
}

function keyPlace({ keyEncryptionKey, keyEncryptionKeyFile }: Config): string {
  return keyEncryptionKey === undefined ? keyEncryptionKeyFile : 'KEY_ENCRYPTION_KEY';
}

/** Copies a consistent snapshot with SQLite while the server keeps running. */
async function copySqlite(database: string, file: string): Promise<void> {
  if (!existsSync(database))
    throw failed(
      `There is no database ${database}: --data-directory or DATABASE_URL names another one.`,
    );
  requireReadable(database);
  if (existsSync(file)) throw taken(file);
  const folder = dirname(file);
  if (!existsSync(folder)) throw failed(`The folder ${folder} does not exist.`);
  // Only a complete copy gets the backup's name; an interrupted one keeps this name.
  const draft = `${file}.${randomUUID()}.partial`;
  const { default: SqliteDatabase } = await import('libsql');
  const source = new SqliteDatabase(database);
  const before = process.umask(0o077);
  try {
    source.exec('pragma busy_timeout = 10000');
    source.prepare('vacuum into ?').run(draft);
    chmodSync(draft, 0o600);
  } catch (error) {
    rmSync(draft, { force: true });
    throw failed(withFullStop(`The backup was not made: ${(error as Error).message}`));
  } finally {
    process.umask(before);
    source.close();
  }
  try {
    publish(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Gives the draft its final name without replacing another file. Throws CommandError. */
function publish(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    // Some file systems lack links.
    if (codeOf(error) === 'EEXIST' || existsSync(file)) throw taken(file);
    renameSync(draft, file);
  }
}

/** Refuses what SQLite would not explain. Throws CommandError. */
function requireReadable(file: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') throw failed(`There is no file ${file}.`);
    throw failed(`${file} cannot be read (${code}). Run this as a user who may read it.`);
  }
  if (!statSync(file).isFile()) throw failed(`${file} is not a file.`);
}

function taken(file: string): Error {
  return usageError(`${file} exists already, and is not replaced.`);
}

/** Reads the whole copy, and opens its keys with the key-encryption key. Throws CommandError. */
export async function checkSqlite(
  file: string,
  config: Config,
  { clock }: Pick<Terminal, 'clock'>,
): Promise<void> {
  requireReadable(file);
  const url = fileUrl(file);
  const look = await lookAtDatabase(url);
  if (look === undefined) throw failed(`There is no file ${file}.`);
  try {
    const [[integrity] = []] = await look.query('pragma integrity_check').catch(() => []);
    if (integrity !== 'ok') throw failed(`${file} is not a sound SQLite database.`);
  } finally {
    await look.close();
  }
  const { redisUrl: _, ...alone } = config;
  const found = await checkDatabase({ ...alone, databaseUrl: url }, clock);
  const needed = ['migrations', 'key-encryption key'];
  if (found.some(({ check, result }) => check === 'migrations' && result === 'unknown'))
    throw failed(`${file} is empty: a copy that was interrupted, or no backup of Holdfast.`);
  for (const name of needed) {
    const finding = found.find(({ check }) => check === name);
    if (finding?.result !== 'ok')
      throw failed(
        `${withFullStop(`${file}: ${name}: ${finding?.found ?? 'not found'}`)} ${finding?.mend ?? ''}`,
      );
  }
}
