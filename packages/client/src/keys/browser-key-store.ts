import { type CryptoKeyPair, generateKeyPair } from 'oauth4webapi';
import { HolderError } from '../holder-error.ts';
import type { KeyAlgorithm } from './holder-key.ts';

const database = 'holdfast';
const store = 'keys';

/**
 * The key with this name in IndexedDB, created if missing. Its private half is not extractable:
 * scripts of the page can use it but not read it. Throws HolderError.
 */
export async function browserKey(name: string, alg: KeyAlgorithm): Promise<CryptoKeyPair> {
  try {
    const db = await opened();
    try {
      return (
        (await found(db, name)) ??
        (await keptUnlessThere(db, name, await generateKeyPair(alg, { extractable: false })))
      );
    } finally {
      db.close();
    }
  } catch (error) {
    const said = error instanceof Error ? error.name : 'unknown error';
    throw new HolderError('key_unavailable', `IndexedDB cannot keep the key: ${said}`);
  }
}

async function opened(): Promise<IDBDatabase> {
  const request = indexedDB.open(database, 1);
  request.onupgradeneeded = () => void request.result.createObjectStore(store);
  return resultOf(request);
}

async function found(db: IDBDatabase, name: string): Promise<CryptoKeyPair | undefined> {
  return resultOf(db.transaction(store).objectStore(store).get(name));
}

/**
 * Reads and writes in one transaction, so that of two tabs that start together, both get the key of
 * the first.
 */
function keptUnlessThere(
  db: IDBDatabase,
  name: string,
  made: CryptoKeyPair,
): Promise<CryptoKeyPair> {
  return new Promise((resolve, reject) => {
    const transaction = db.transaction(store, 'readwrite');
    const keys = transaction.objectStore(store);
    const look = keys.get(name);
    let kept = made;
    look.onsuccess = () => {
      if (look.result === undefined) keys.put(made, name);
      else kept = look.result as CryptoKeyPair;
    };
    transaction.oncomplete = () => resolve(kept);
    transaction.onabort = () => reject(transaction.error ?? new Error('aborted'));
  });
}

function resultOf<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('failed'));
  });
}
