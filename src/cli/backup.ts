import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, linkSync, renameSync, rmSync, statSync } from 'node:fs';
import { type Config, readConfig } from '../config/config.ts';
import { databaseFile, databaseKind, fileUrl } from '../config/database-url.ts';
import { checkDatabase } from './doctor/check-database.ts';
import { lookAtDatabase } from './doctor/database-look.ts';
import { failed, usageError } from './exit-codes.ts';
import { checkDump, databaseArgument, shellWord } from './postgresql-dump.ts';
import { codeOf } from './secret.ts';
import { type ServeOptions, serveVariables } from './serve-command.ts';
import { printJson, type Terminal } from './terminal.ts';

export interface BackupOptions extends ServeOptions {
  readonly json?: boolean;
  /** Look at a backup that exists, and make none. */
  readonly check?: boolean;
}

/** The configuration of the server that this environment is for. Throws ConfigError. */
export function serverConfig(terminal: Pick<Terminal, 'env'>, options: ServeOptions): Config {
  return readConfig({ ...terminal.env, ...serveVariables(terminal.env, options) });
}

/** Makes a backup of the database beside a running server, or says how, and checks it. */
export async function backup(
  terminal: Terminal,
  file: string,
  options: BackupOptions,
): Promise<void> {
  const config = serverConfig(terminal, options);
  const sqlite = databaseKind(config.databaseUrl) === 'sqlite';
  if (options.check !== true && !sqlite) {
    const [database, quoted] = [databaseArgument(terminal), shellWord(file)];
    terminal.stderr.write(
      `pg_dump -Fc ${database} -f ${quoted}\nholdfast backup --check ${quoted}\n`,
    );
    throw failed('No backup was made: PostgreSQL makes it by the two lines above.');
  }
  if (options.check !== true) await copySqlite(databaseFile(config.databaseUrl), file);
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

/** SQLite's own copy of a database in use: one moment of it, and the server goes on. */
async function copySqlite(database: string, file: string): Promise<void> {
  if (!existsSync(database)) throw failed(`There is no database ${database} yet.`);
  if (existsSync(file)) throw taken(file);
  // What has the name of the backup is whole: a copy that is interrupted stays under this one.
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
    throw failed(`The backup was not made: ${(error as Error).message}.`);
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

/** Gives the draft its name, which it never takes from another file. Throws CommandError. */
function publish(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch (error) {
    // Some file systems have no links.
    if (codeOf(error) === 'EEXIST' || existsSync(file)) throw taken(file);
    renameSync(draft, file);
  }
}

function taken(file: string): Error {
  return usageError(`${file} exists already, and is not replaced.`);
}

/** Reads the whole copy, and opens its keys by the key-encryption key. Throws CommandError. */
export async function checkSqlite(
  file: string,
  config: Config,
  { clock }: Pick<Terminal, 'clock'>,
): Promise<void> {
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
      throw failed(`${file}: ${name}: ${finding?.found ?? 'not found'}. ${finding?.mend ?? ''}`);
  }
}
