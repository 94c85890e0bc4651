import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import type { TestStore } from './stores.ts';

/** Runs one statement in a session of its own on the database of a test; answers its rows. */
export async function execute(
  { env }: TestStore,
  sql: string,
): Promise<readonly (readonly unknown[])[]> {
  const url = env['DATABASE_URL'] ?? '';
  const factory = url.startsWith('file:')
    ? new PrismaLibSql({ url })
    : new PrismaPg({ connectionString: url });
  const connection = await factory.connect();
  try {
    return (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;
  } finally {
    await connection.dispose();
  }
}
