import type { DriverAdapterError } from '@prisma/driver-adapter-utils';

/** Whether the error only means that another replica was using the objects to change. */
export function isInTheWay(error: unknown): boolean {
  const { kind, originalCode } = (error as Partial<DriverAdapterError>).cause ?? {};
  // SQLITE_BUSY; lock_not_available and deadlock_detected of PostgreSQL.
  return kind === 'SocketTimeout' || originalCode === '55P03' || originalCode === '40P01';
}
