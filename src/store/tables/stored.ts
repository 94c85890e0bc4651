import { CorruptRow } from '../../domain/oauth-error.ts';
import type { IntactPage, ListQuery, Stored } from '../../ports/registry.ts';
import { intact } from './json-column.ts';

/** The columns that every registration has. */
export interface RegistrationRow {
  readonly metadata: string;
  readonly version: number;
  readonly createdAt: bigint;
  readonly updatedAt: bigint;
  readonly managedBy: string | null;
}

/** Builds a stored registration from its row and its value. */
export function stored<T>(row: RegistrationRow, value: T): Stored<T> {
  return {
    value,
    version: row.version,
    createdAt: Number(row.createdAt),
    updatedAt: Number(row.updatedAt),
    ...(row.managedBy !== null && { managedBy: row.managedBy }),
  };
}

/** The column `managed_by` as part of a filter: all rows, or only those from a configuration. */
export function managedOnly({ managed }: Pick<ListQuery, 'managed'>) {
  return managed === true ? { managedBy: 'configuration' } : {};
}

/** Prisma's query for one page, in the order of the ids. */
export function pageById({ limit, after = '', managed }: ListQuery) {
  return {
    where: { id: { gt: after }, ...managedOnly({ managed }) },
    orderBy: { id: 'asc' as const },
    take: limit,
  };
}

/** Builds a page of at most `limit` rows, without unreadable ones. */
export function intactPage<Row, T>(
  rows: readonly Row[],
  limit: number,
  idOf: (row: Row) => string,
  read: (row: Row) => T,
): IntactPage<T> {
  const last = rows.at(-1);
  return {
    values: rows.flatMap((row) => {
      const value = intact(() => read(row));
      return value instanceof CorruptRow ? [] : [value];
    }),
    next: last === undefined || rows.length < limit ? undefined : idOf(last),
  };
}
