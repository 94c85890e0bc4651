import { databaseKind, databasePlace } from '../config/database-url.ts';
import { messagesOf } from './causes.ts';

/** Whether nothing answered at the place of the database, rather than refused. */
export function isUnreachable(error: unknown): boolean {
  return messagesOf(error).some((message) =>
    /DatabaseNotReachable|SocketTimeout|ConnectionClosed|timeout|^E[A-Z_]+$/.test(message),
  );
}

/** Where DATABASE_URL leads and what to check, for an error in connecting to PostgreSQL. */
export function whereSought(error: unknown, url: string): string | undefined {
  const isConnecting = error instanceof Error && error.name === 'DatabaseError' && error.cause;
  if (!isConnecting || databaseKind(url) !== 'postgresql') return undefined;
  const place = `DATABASE_URL leads to ${databasePlace(url)}.`;
  return isUnreachable(error)
    ? `${place} Check that PostgreSQL runs there, that host and port are right, and that no firewall is between.`
    : `${place} Check that database and role are right, and that the role may create tables there.`;
}
