import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { databaseFile, databaseKind } from '../config/database-url.ts';
import { type BackupOptions, checkSqlite, failed, serverConfig } from './backup.ts';
import { printJson, type Terminal } from './terminal.ts';

/** Puts a checked backup in the place of the database, which is kept; or says how. */
export async function restore(
  terminal: Terminal,
  file: string,
  options: BackupOptions,
): Promise<void> {
  const config = serverConfig(terminal, options);
  const wait = waitOf(config);
  if (databaseKind(config.databaseUrl) === 'postgresql') {
    terminal.stdout.write(
      `# Stop every replica first; the database must be empty.\npg_restore -d "$DATABASE_URL" --no-owner '${file.replaceAll("'", String.raw`'\''`)}'\n`,
    );
    terminal.stderr.write(afterwards(wait));
    return;
  }
  const database = databaseFile(config.databaseUrl);
  await checkSqlite(file, config, terminal);
  const kept = await exchanged(database, file, terminal.clock());
  if (options.json === true) printJson(terminal, { restored: database, kept, wait_seconds: wait });
  else terminal.stdout.write(`${database} is restored.${kept ? ` Kept: ${kept}` : ''}\n`);
  terminal.stderr.write(afterwards(wait));
}

async function exchanged(database: string, file: string, now: number): Promise<string | undefined> {
  const draft = `${database}.restoring`;
  copyFileSync(file, draft);
  try {
    const kept = `${database}.before-restore-${now}`;
    const exists = existsSync(database);
    if (exists) {
      await takeAlone(database);
      renameSync(database, kept);
    }
    for (const ending of ['-wal', '-shm']) rmSync(`${database}${ending}`, { force: true });
    renameSync(draft, database);
    return exists ? kept : undefined;
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** Ends the write-ahead log, which SQLite does only where nobody else has the database open. */
async function takeAlone(database: string): Promise<void> {
  const { default: SqliteDatabase } = await import('libsql');
  const open = new SqliteDatabase(database);
  try {
    open.exec('pragma busy_timeout = 0');
    open.prepare('pragma journal_mode = delete').all();
  } catch (error) {
    throw failed(
      `A server has ${database} open: stop it first. Nothing was changed (${(error as Error).message}).`,
    );
  } finally {
    open.close();
  }
}

/** Seconds until all that may have been used after the backup is too old. */
function waitOf(config: Config): number {
  return Math.max(
    config.dpopProofMaxAge + 2 * config.dpopProofMaxFuture,
    3 * config.dpopNonceLifetime,
    config.assertionMaxLifetime + 2 * config.clockTolerance,
    config.cnfProofMaxLifetime + 2 * config.clockTolerance,
    config.idTokenMaxAge + 2 * config.clockTolerance,
  );
}

function afterwards(wait: number): string {
  return `Wait ${wait} seconds from the stop of the last replica before the first start, then rotate and revoke the signing keys (docs/operations/backup.md).\n`;
}
