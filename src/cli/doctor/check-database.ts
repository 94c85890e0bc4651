import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import type { Config } from '../../config/config.ts';
import {
  type DatabaseKind,
  databaseFile,
  databaseKind,
  databasePlace,
} from '../../config/database-url.ts';
import type { Clock } from '../../domain/clock.ts';
import { isUnreachable } from '../../process/database-faults.ts';
import { databaseTime } from '../../store/connection/database-time.ts';
import { refusalOfNewer } from '../../store/migrations/newer-migrations.ts';
import { migrationNames } from '../../store/migrations/schema-engine.ts';
import { checkKeys } from './check-keys.ts';
import { clockFinding, unknownClock } from './clock-finding.ts';
import { type DatabaseLook, lookAtDatabase } from './database-look.ts';
import { about, type Finding, reasonOf } from './finding.ts';

const reachable = about('database', 'answers', 'reference/configuration.md');
const migrated = about('migrations', 'those of this version, all applied', 'operations/upgrade.md');
const replay = about('replay records', 'a key counts once', 'operations/sizing.md');

/** Checks the content of the database without creating, migrating or keeping anything. */
export async function checkDatabase(config: Config, clock: Clock): Promise<readonly Finding[]> {
  let database: DatabaseLook | undefined;
  try {
    database = await lookAtDatabase(config.databaseUrl);
    if (database === undefined) return [reachable.unknown(nothingAt(config.databaseUrl))];
    return [reachable.ok('it answers'), ...(await checksOf(database, config, clock))];
  } catch (error) {
    return [unreadable(error, config.databaseUrl)];
  } finally {
    await database?.close();
  }
}

function nothingAt(url: string): string {
  const file = resolve(databaseFile(url));
  return `there is none at ${file}; --data-directory or DATABASE_URL names another place`;
}

function unreadable(error: unknown, url: string): Finding {
  if (databaseKind(url) === 'sqlite')
    return reachable.fault(
      `${databaseFile(url)} cannot be read: ${reasonOf(error)}`,
      'Give the file and its folder to the user of the server; if it is damaged, restore a backup.',
    );
  return reachable.fault(
    `${databasePlace(url)}: ${reasonOf(error)}`,
    isUnreachable(error)
      ? 'Start PostgreSQL, or correct host and port in DATABASE_URL; check the firewall between.'
      : 'Correct DATABASE_URL, or grant the role what it lacks.',
  );
}

async function checksOf(
  database: DatabaseLook,
  config: Config,
  clock: Clock,
): Promise<readonly Finding[]> {
  const kind = databaseKind(config.databaseUrl);
  const migrations = await checkMigrations(database, kind);
  const before = clock();
  const [[at] = []] = await database.query(`select ${databaseTime[kind]}`);
  const time =
    kind === 'sqlite'
      ? unknownClock('the database', 'SQLite has the clock of this machine')
      : clockFinding('the database', { at: Number(at), before, after: clock() });
  const writable = kind === 'postgresql' ? [await checkReadOnly(database)] : [];
  if (migrations.result === 'unknown') return [migrations, time, ...writable];
  const round = config.redisUrl === undefined ? [await checkRoundTrip(database)] : [];
  const now = Number(at);
  return [migrations, time, ...writable, ...round, ...(await checkKeys(database, config, now))];
}

async function checkMigrations(database: DatabaseLook, kind: DatabaseKind): Promise<Finding> {
  const there = {
    sqlite: "select count(*) from sqlite_master where name = '_prisma_migrations'",
    postgresql:
      "select count(*) from pg_class where oid = to_regclass(quote_ident(current_schema()) || '._prisma_migrations')",
  };
  const [[count] = []] = await database.query(there[kind]);
  if (Number(count) === 0)
    return migrated.unknown('the database is empty: the first start fills it');
  const rows = await database.query(
    'select migration_name, finished_at is not null from _prisma_migrations where rolled_back_at is null',
  );
  const names = migrationNames(kind);
  const applied = rows.map(([name]) => String(name));
  const pending = names.filter((name) => !applied.includes(name));
  const unknown = applied.filter((name) => !names.includes(name));
  const unfinished = rows.filter(([, done]) => !Number(done)).map(([name]) => String(name));
  if (unfinished.length > 0)
    return migrated.fault(
      `not finished: ${unfinished.join(', ')}`,
      'Restore a backup from before the upgrade.',
    );
  const refusal = unknown.map((name) => refusalOfNewer(name)).find((one) => one !== undefined);
  if (refusal !== undefined)
    return migrated.fault(`of a newer version: ${unknown.join(', ')}`, refusal);
  if (unknown.length > 0 && pending.length === 0)
    return migrated.ok(`all applied, and of a newer version: ${unknown.join(', ')}`);
  return pending.length === 0
    ? migrated.ok(`${applied.length} applied`)
    : migrated.fault(
        `pending: ${pending.join(', ')}`,
        'Back up the database, then start this version: it applies them.',
      );
}

async function checkReadOnly(database: DatabaseLook): Promise<Finding> {
  const writable = about('database', 'can be written', 'operations/backup.md');
  const [[readOnly] = []] = await database.query("select current_setting('transaction_read_only')");
  return readOnly === 'off'
    ? writable.ok('it can be written')
    : writable.fault(
        'it is read-only: a standby, or default_transaction_read_only is on',
        'Point DATABASE_URL to the primary, or switch default_transaction_read_only off.',
      );
}

/** Marks a key as used twice in a transaction that is rolled back. */
async function checkRoundTrip(database: DatabaseLook): Promise<Finding> {
  const insert = `insert into replay_record (key, expires_at) values ('doctor:${randomUUID()}', 0) on conflict do nothing returning key`;
  try {
    const answers = await database.rolledBack([insert, insert]);
    const counts = answers.map((rows) => rows.length).join(', ');
    return counts === '1, 0'
      ? replay.ok('stored once, refused the second time')
      : replay.fault(`stored ${counts} times`, 'Restore the table replay_record from a backup.');
  } catch (error) {
    return replay.fault(
      `not stored: ${reasonOf(error)}`,
      'Make the database writable: without it every proof is refused.',
    );
  }
}
