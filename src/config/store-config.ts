import { dirname, join, resolve } from 'node:path';
import { defined } from '../domain/defined.ts';
import { DatabaseUrlError, databaseFile, databaseKind } from './database-url.ts';
import type { EnvironmentReader } from './environment.ts';

/** The databases, and the keys and tokens that protect their content. */
export interface StoreConfig {
  readonly databaseUrl: string;
  /** PostgreSQL connections of one process. */
  readonly databasePoolSize: number;
  readonly databasePreparedStatements: boolean;
  readonly redisUrl?: string;
  /** base64url of 32 bytes. */
  readonly keyEncryptionKey?: string;
  readonly keyEncryptionKeyFile: string;
  /** The next key-encryption key, as a value or in a file. */
  readonly nextKeyEncryptionKey: { readonly value?: string; readonly file?: string };
  readonly adminToken?: string;
}

/** Where the first start writes the admin token: next to the key-encryption key. */
export function adminTokenFile(keyEncryptionKeyFile: string): string {
  return join(dirname(keyEncryptionKeyFile), 'holdfast.admin-token');
}

/** Reads the variables of the databases and of the secrets. */
export function readStoreConfig(read: EnvironmentReader): StoreConfig {
  const databaseUrl = readDatabaseUrl(read);
  const adminToken = read.matchingSecret(
    'ADMIN_TOKEN',
    /^[\x21-\x7e]{32,512}$/,
    'at least 32 printable characters without spaces',
  );
  const redisUrl = read.matchingSecret('REDIS_URL', /^rediss?:\/\/.+/, 'redis://… or rediss://…');
  const keyEncryptionKey = readKey(read, 'KEY_ENCRYPTION_KEY');
  return {
    databaseUrl,
    databasePoolSize: read.integer('DATABASE_POOL_SIZE', 10, 1, 1000),
    databasePreparedStatements: read.flag('DATABASE_PREPARED_STATEMENTS', true),
    ...defined({ redisUrl, keyEncryptionKey, adminToken }),
    keyEncryptionKeyFile: resolve(
      read.text('KEY_ENCRYPTION_KEY_FILE') ?? defaultKeyFile(databaseUrl),
    ),
    nextKeyEncryptionKey: readNextKey(read),
  };
}

function readDatabaseUrl(read: EnvironmentReader): string {
  const standard = 'file:data/holdfast.db';
  const form = /^(file:.+|postgres(ql)?:\/\/.+)/;
  const url = read.matchingSecret('DATABASE_URL', form, 'file:PATH or postgresql://…') ?? standard;
  if (databaseKind(url) === 'postgresql') return url;
  try {
    databaseFile(url);
    return url;
  } catch (fault) {
    if (!(fault instanceof DatabaseUrlError)) throw fault;
    read.faults.push(`DATABASE_URL has ${fault.message}`);
    return standard;
  }
}

function defaultKeyFile(databaseUrl: string): string {
  const path = databaseKind(databaseUrl) === 'sqlite' ? databaseFile(databaseUrl) : 'data/holdfast';
  return `${path.replace(/\.(db|sqlite3?)$/, '')}.key-encryption-key`;
}

function readKey(
  read: EnvironmentReader,
  name: 'KEY_ENCRYPTION_KEY' | 'KEY_ENCRYPTION_KEY_NEXT',
): string | undefined {
  return read.matching(
    name,
    /^[A-Za-z0-9_-]{43}$/,
    'base64url of 32 bytes (make one: openssl rand 32 | basenc --base64url | tr -d =)',
  );
}

function readNextKey(read: EnvironmentReader): StoreConfig['nextKeyEncryptionKey'] {
  const value = readKey(read, 'KEY_ENCRYPTION_KEY_NEXT');
  const file = read.text('KEY_ENCRYPTION_KEY_NEXT_FILE');
  return defined({ value, file });
}
