import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { onPostgresql } from './postgresql.ts';
import { scratchFolder } from './scratch.ts';

const server = process.env['TEST_DATABASE_URL'];

/**
 * Migrates one database of each kind before the first test: a test's own is then a copy. Tests find
 * them by `TEST_MIGRATED_SQLITE` and `TEST_MIGRATED_POSTGRESQL`. A file in the folder
 * `TEST_DISCARDED` asks for the PostgreSQL database of that name to be dropped. `TEST_BUILT` is for
 * programs that are built once a run. Answers what removes it all.
 */
export async function setup(): Promise<() => Promise<void>> {
  const folder = scratchFolder();
  const sqliteFile = join(folder, 'migrated.db');
  const template = `holdfast_migrated_${process.pid}_${Date.now().toString(36)}`;
  const urls = [`file:${sqliteFile}`];
  if (server !== undefined) {
    await onPostgresql(`create database ${template}`);
    urls.push(Object.assign(new URL(server), { pathname: `/${template}` }).href);
  }
  const script = join(import.meta.dirname, 'migrate.ts');
  await promisify(execFile)(process.execPath, [script, ...urls]);

  const discarded = join(folder, 'discarded');
  const built = join(folder, 'built');
  for (const each of [discarded, built]) mkdirSync(each);
  // Each drop waits for a checkpoint: many at once share one, and no test waits for it.
  const dropDiscarded = async () => {
    const names = readdirSync(discarded);
    for (const name of names) rmSync(join(discarded, name));
    await Promise.all(names.map((name) => onPostgresql(`drop database ${name} with (force)`)));
  };
  const dropping = setInterval(() => void dropDiscarded().catch(console.error), 2000);
  Object.assign(process.env, {
    TEST_MIGRATED_SQLITE: sqliteFile,
    TEST_DISCARDED: discarded,
    TEST_BUILT: built,
    ...(server !== undefined && { TEST_MIGRATED_POSTGRESQL: template }),
  });
  return async () => {
    clearInterval(dropping);
    await dropDiscarded();
    if (server !== undefined) await onPostgresql(`drop database ${template} with (force)`);
    rmSync(folder, { recursive: true });
  };
}
