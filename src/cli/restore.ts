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
import { databaseKind } from '../config/database-url.ts';
import { type BackupOptions, checkSqlite, serverConfig, serverFile } from './backup.ts';
import { reasonOf } from './doctor/finding.ts';
import { CommandError, failed } from './exit-codes.ts';
import { withFullStop } from './failure.ts';
import { databaseArgument, shellWord } from './postgresql-dump.ts';
import { describeUnreadWait, describeWait, longestOf, readWait } from './restore-wait.ts';
import { printJson, type Terminal } from './terminal.ts';

/** Replaces the database, which is kept aside, with a checked backup, or prints how. */
export async function restore(
  terminal: Terminal,
  file: string,
  options: BackupOptions,
): Promise<void> {
  const config = serverConfig(terminal, options);
  if (databaseKind(config.databaseUrl) === 'postgresql') {
    terminal.stderr.write(
      `# Stop every replica first; the database must be empty.\npg_restore ${databaseArgument(terminal, config.databaseUrl)} --no-owner ${shellWord(file)}\n# ${afterwards(describeUnreadWait(config))}`,
    );
    throw failed('Nothing was restored: use the line above, which is for PostgreSQL.');
  }
  const database = serverFile(config);
  await checkSqlite(file, config, terminal);
  const wait = await readWait(file, config);
  const kept = await exchanged(database, file, terminal.clock());
  if (options.json === true)
    printJson(terminal, {
      restored: database,
      kept,
      wait_seconds: longestOf(wait),
      trusted_issuers: wait.longer,
    });
  else terminal.stdout.write(`${database} is restored.${kept ? ` Kept: ${kept}` : ''}\n`);
  terminal.stderr.write(afterwards(describeWait(wait)));
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
    // Logs of a database that could not be opened belong to it, and must not apply to the backup.
    for (const ending of ['', '-wal', '-shm', '-journal'])
      if (existsSync(`${database}${ending}`))
        renameSync(`${database}${ending}`, `${kept}${ending}`);
    renameSync(draft, database);
    return exists ? kept : undefined;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw failed(withFullStop(`The backup was not put in place: ${reasonOf(error)}`));
  } finally {
    rmSync(draft, { force: true });
  }
}

/** The server's user must own the file, but root may be restoring. */
function giveTo(owned: string, draft: string): void {
  const { uid, gid } = statSync(owned);
  if (process.getuid?.() === 0) chownSync(draft, uid, gid);
}

/** Lets only its owner and root replace a database, because others may not see the locks. */
function requireOwn(database: string): void {
  const own = process.getuid?.();
  const { uid } = statSync(database);
  if (own !== undefined && own !== 0 && own !== uid)
    throw failed(
      `${database} belongs to another user: restore as that user or as root. Nothing was changed.`,
    );
}

/**
 * Ends the write-ahead log, which SQLite does only if no other process has the database open. A
 * database that SQLite cannot read is kept unchanged. Throws CommandError.
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
    // IOERR_SHORT_READ: the file or its log is truncated.
    if (/^SQLITE_(NOTADB|CORRUPT|IOERR_SHORT_READ)/.test(reason)) return;
    if (/^SQLITE_(BUSY|LOCKED)/.test(reason))
      throw failed(`A server has ${database} open: stop it first. Nothing was changed.`);
    // It is unknown whether a server has it open.
    throw failed(
      `${database} could not be opened alone (${reason}). Nothing was changed. Stop every server, move it away with its -wal and -shm, and restore again.`,
    );
  }
}

function afterwards(wait: string): string {
  return `${wait} Admins that were removed since the backup are back: holdfast admin-token reset --end-others ends them all. Then rotate and revoke the signing keys (docs/operations/backup.md).\n`;
}
