import { parentPort, workerData } from 'node:worker_threads';
import SqliteDatabase from 'libsql';
import type { ThreadReply } from './writer-thread.ts';

// Runs in a separate thread and loads only the driver, so that it costs little time and memory.

/** The data that the thread starts with. */
export interface WriterData {
  readonly file: string;
  readonly pragmas: readonly string[];
  /** Statements with one parameter, a JSON array; the first returns the keys that were new. */
  readonly insertUses: string;
  readonly insertEvents: string;
}

/** A batch to commit: a JSON array of uses, and the records, each with the keys it needs. */
export interface WriterRequest {
  readonly uses: string;
  readonly issuances: readonly { readonly uses: readonly string[]; readonly row: string }[];
}

/** The result once the batch is durable: the keys that were new. */
export type WriterAnswer = readonly string[];

/** Records from one checkpoint to the next, some 10 MiB of the write-ahead log. */
const recordsBetweenCheckpoints = 1000;

const { file, pragmas, insertUses, insertEvents } = workerData as WriterData;
const database = new SqliteDatabase(file);
// Checkpoints run after an answer, not before it.
for (const pragma of [...pragmas, 'wal_autocheckpoint = 0']) database.exec(`pragma ${pragma}`);
const [markUsed, record] = [database.prepare(insertUses), database.prepare(insertEvents)];
const checkpoint = database.prepare('pragma wal_checkpoint(PASSIVE)');
const commit = database.transaction(({ uses, issuances }: WriterRequest): WriterAnswer => {
  const inserted = (uses === '[]' ? [] : markUsed.all(uses)) as readonly { readonly key: string }[];
  const keys = new Set(inserted.map(({ key }) => key));
  const rows = issuances
    .filter((issuance) => issuance.uses.every((key) => keys.has(key)))
    .map(({ row }) => row);
  if (rows.length > 0) record.run(`[${rows.join()}]`);
  return [...keys];
});

function committed(request: WriterRequest): ThreadReply<WriterAnswer> {
  try {
    return { answer: commit.immediate(request) };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

let records = 0;
parentPort?.on('message', (request: WriterRequest | 'close') => {
  if (request === 'close') {
    database.close();
    parentPort?.close();
    return;
  }
  parentPort?.postMessage(committed(request));
  records += request.issuances.length;
  if (records < recordsBetweenCheckpoints) return;
  records = 0;
  checkpoint.all();
});
