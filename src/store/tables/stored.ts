import type { Stored } from '../../ports/registry.ts';
import type { Step } from '../connection/transaction.ts';

/** The columns that every registration has. */
export interface RegistrationRow {
  readonly metadata: string;
  readonly version: number;
  readonly createdAt: bigint;
  readonly updatedAt: bigint;
}

/** A registration with what its row says about it. */
export function stored<T>(row: RegistrationRow, value: T): Stored<T> {
  return {
    value,
    version: row.version,
    createdAt: Number(row.createdAt),
    updatedAt: Number(row.updatedAt),
  };
}

/** Deletes one registration, whatever its version, or only at the one that is given. */
export function deletion(
  table: string,
  key: string,
  id: string,
  version: number | undefined,
): Step {
  const sql = `delete from ${table} where ${key} = $1`;
  return version === undefined
    ? { sql, values: [id] }
    : { sql: `${sql} and version = $2`, values: [id, version] };
}
