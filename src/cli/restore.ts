import { randomUUID } from 'node:crypto';
import {
  chownSync,
  createReadStream,
  createWriteStream,
  existsSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Config } from '../config/config.ts';
import { databaseFile, databaseKind } from '../config/database-url.ts';
import { type BackupOptions, checkSqlite, serverConfig } from './backup.ts';
import { reasonOf } from './doctor/finding.ts';
import { CommandError, failed } from './exit-codes.ts';
import { databaseArgument, shellWord } from './postgresql-dump.ts';
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
    terminal.stderr.write(
      `# Stop every replica first; the database must be empty.\npg_restore ${databaseArgument(terminal)} --no-owner ${shellWord(file)}\n# ${afterwards(wait)}`,
    );
    throw failed('Nothing was restored: PostgreSQL does it by the line above.');
  }
  const database = databaseFile(config.databaseUrl);
  await checkSqlite(file, config, terminal);
  const kept = await exchanged(database, file, terminal.clock());
  if (options.json === true) printJson(terminal, { restored: database, kept, wait_seconds: wait });
  else terminal.stdout.write(`${database} is restored.${kept ? ` Kept: ${kept}` : ''}\n`);
  terminal.stderr.write(afterwards(wait));
}

async function exchanged(database: string, file: string, now: number): Promise<string | undefined> {
  const draft = `${database}.${randomUUID()}.restoring`;
  const kept = `${database}.before-restore-${now}`;
  const exists = existsSync(database);
  try {
    await pipeline(
      createReadStream(file),
      createWriteStream(draft, { flags: 'wx', mode: 0o600, flush: true }),
    );
    giveTo(exists ? database : dirname(database), draft);
    if (exists) {
      requireOwn(database);
      await takeAlone(database);
    }
    // The logs of a database that could not be opened belong to it: the backup must not get them.
    for (const ending of ['', '-wal', '-shm', '-journal'])
      if (existsSync(`${database}${ending}`))
        renameSync(`${database}${ending}`, `${kept}${ending}`);
    renameSync(draft, database);
    return exists ? kept : undefined;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw failed(`The backup was not put in place: ${reasonOf(error)}.`);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The server reads what its user owns, and root may be the one who restores. */
function giveTo(owned: string, draft: string): void {
  const { uid, gid } = statSync(owned);
  if (process.getuid?.() === 0) chownSync(draft, uid, gid);
}

/** Only its user and root may replace a database: others may not see the locks. */
function requireOwn(database: string): void {
  const own = process.getuid?.();
  const { uid } = statSync(database);
  if (own !== undefined && own !== 0 && own !== uid)
    throw failed(
      `${database} belongs to another user: restore as that user or as root. Nothing was changed.`,
    );
}

/**
 * Ends the write-ahead log, which SQLite does only where nobody else has the database open. One
 * that SQLite cannot read is what a backup is for: it is kept as it is. Throws CommandError.
 */
async function takeAlone(database: string): Promise<void> {
  const { default: SqliteDatabase } = await import('libsql');
  try {
    const open = new SqliteDatabase(database);
    try {
      open.exec('pragma busy_timeout = 0');
      open.prepare('pragma journal_mode = delete').all();
    } finally {
      open.close();
    }
  } catch (error) {
    const reason = reasonOf(error);
    // The last: the file or its log ends too early.
    if (/^SQLITE_(NOTADB|CORRUPT|IOERR_SHORT_READ)/.test(reason)) return;
    if (/^SQLITE_(BUSY|LOCKED)/.test(reason))
      throw failed(`A server has ${database} open: stop it first. Nothing was changed.`);
    // Whether a server has it open is not known.
    throw failed(
      `${database} could not be opened alone (${reason}). Nothing was changed. Stop every server, move it away with its -wal and -shm, and restore again.`,
    );
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
  return `Wait ${wait} seconds from the stop of the last replica before the first start. Admins that were removed since the backup are back: holdfast admin-token reset --end-others ends them all. Then rotate and revoke the signing keys (docs/operations/backup.md).\n`;
}
