import { join } from 'node:path';
import { databaseFile } from '../../config/database-url.ts';
import { packageFolder } from '../../config/package.ts';
import { sqlitePragmas } from '../connection/sqlite-adapter.ts';
import type { WriterAnswer, WriterData, WriterRequest } from '../connection/sqlite-writer.ts';
import { acquireWriteLock } from '../connection/write-lock.ts';
import { startWriterThread, type Thread } from '../connection/writer-thread.ts';
import type { CommitBatch } from './issuances.ts';
import { insertEvents } from './sql-audit.ts';
import { insertUses } from './sql-replay.ts';

/** Milliseconds after the start before the thread starts, because other work is more urgent. */
const startDelay = 300;

/** The thread's module: TypeScript among the sources, built in dist/. */
const writerModule = import.meta.filename.endsWith('.ts')
  ? join(packageFolder, 'src/store/connection/sqlite-writer.ts')
  : join(packageFolder, 'dist/sqlite-writer.js');

/** Uses and records in one transaction. */
export interface SqliteIssuances {
  readonly commitBatch: CommitBatch;
  /** Stops the thread after all earlier requests. */
  close(): Promise<void>;
}

/**
 * Commits uses and records in one transaction in a separate thread, so that waiting for the disk
 * blocks nothing else (docs/decisions/0005-the-write-of-an-issuance.md). A thread that stopped
 * unexpectedly is replaced at the next commit; `onError` is called.
 */
export function sqliteIssuances(url: string, onError: (error: Error) => void): SqliteIssuances {
  const file = databaseFile(url);
  const data: WriterData = {
    file,
    pragmas: sqlitePragmas,
    insertUses: insertUses.sqlite,
    insertEvents: insertEvents.sqlite,
  };
  let thread: Thread<WriterRequest, WriterAnswer> | undefined;
  const started = () => {
    thread ??= startWriterThread(writerModule, data, (error) => {
      thread = undefined;
      onError(error);
    });
    return thread;
  };
  const starting = setTimeout(started, startDelay).unref();
  return {
    async commitBatch(uses, issuances) {
      const records = issuances.map((issuance) => ({
        uses: issuance.uses,
        row: JSON.stringify(issuance.row),
      }));
      const request = { uses: JSON.stringify(uses), issuances: records };
      const end = await acquireWriteLock(file);
      return started().ask(request).finally(end);
    },
    async close() {
      clearTimeout(starting);
      const end = await acquireWriteLock(file);
      await thread?.close();
      end();
    },
  };
}
