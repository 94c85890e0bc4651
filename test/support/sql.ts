import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import type { TestStore } from './stores.ts';

type Session = Awaited<ReturnType<(PrismaLibSql | PrismaPg)['connect']>>;

/** Runs one statement in a session of its own on the database of a test; answers its rows. */
export async function execute(
  store: TestStore,
  sql: string,
): Promise<readonly (readonly unknown[])[]> {
  const { rows } = await inSession(store, async (session) =>
    session.queryRaw({ sql, args: [], argTypes: [] }),
  );
  return rows;
}

/** Runs several statements as one transaction, in a session of its own. */
export async function executeScript(store: TestStore, script: string): Promise<void> {
  const isSqlite = store.env['DATABASE_URL']?.startsWith('file:') === true;
  const whole = `begin${isSqlite ? ' immediate' : ''}; ${script}; commit`;
  await inSession(store, async (session) => session.executeScript(whole));
}

async function inSession<T>({ env }: TestStore, use: (session: Session) => Promise<T>): Promise<T> {
  const url = env['DATABASE_URL'] ?? '';
  const factory = url.startsWith('file:')
    ? new PrismaLibSql({ url })
    : new PrismaPg({ connectionString: url });
  const session: Session = await factory.connect();
  try {
    return await afterOtherWrites(async () => use(session));
  } finally {
    await session.dispose();
  }
}

/** The server of the test may be writing, and SQLite has one writer at a time. */
async function afterOtherWrites<T>(use: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++)
    try {
      return await use();
    } catch (error) {
      if (tries === 100 || !(error instanceof Error) || error.message !== 'SocketTimeout')
        throw error;
      await sleep(50);
    }
}
