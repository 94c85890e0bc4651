import {
  type BaseIssue,
  type BaseSchema,
  custom,
  getDotPath,
  type InferOutput,
  is,
  looseObject,
  type ObjectEntries,
  pipe,
  safeParse,
} from 'valibot';
import { CorruptRow } from '../../domain/oauth-error.ts';

/** Where a value was read, for the log: table and key of the row. */
export interface Place {
  readonly table: string;
  readonly key: string;
}

/** Refuses arrays, which Valibot takes for objects without members. */
export const noArray = custom<object>((value) => !Array.isArray(value));

/** An object that may have further members. */
export const object = <const Entries extends ObjectEntries>(entries: Entries) =>
  pipe(noArray, looseObject(entries));

/**
 * An object by any names. Valibot's `record` leaves out `__proto__`, `prototype` and `constructor`,
 * which are names like others here.
 */
export const dictionary = <const Schema extends BaseSchema<unknown, unknown, BaseIssue<unknown>>>(
  value: Schema,
) =>
  custom<Readonly<Record<string, InferOutput<Schema>>>>(
    (input) =>
      typeof input === 'object' &&
      input !== null &&
      !Array.isArray(input) &&
      Object.values(input).every((each) => is(value, each)),
  );

/**
 * Reads JSON text of a column as input: a value without the form that this server stores throws
 * CorruptRow, never passes. Members that the schema does not know stay: a newer version that runs
 * beside this one may have written them.
 */
export function jsonColumn<const Schema extends BaseSchema<unknown, unknown, BaseIssue<unknown>>>(
  schema: Schema,
): (text: string, place: Place) => InferOutput<Schema> {
  return (text, place) => {
    const read = safeParse(schema, parsed(text, place), { abortEarly: true });
    if (read.success) return read.output;
    throw new CorruptRow(place.table, place.key, getDotPath(read.issues[0]) ?? '');
  };
}

/** The value that `read` reads from a row, or the CorruptRow that it throws. */
export function intact<T>(read: () => T): T | CorruptRow {
  try {
    return read();
  } catch (fault) {
    if (fault instanceof CorruptRow) return fault;
    throw fault;
  }
}

function parsed(text: string, { table, key }: Place): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CorruptRow(table, key, 'not JSON', cause);
  }
}

/** The value, when it is one of the known ones. Throws CorruptRow. */
export function knownValue<const T extends string>(
  values: readonly T[],
  value: string,
  { table, key }: Place,
): T {
  const known = values.find((each) => each === value);
  if (known === undefined) throw new CorruptRow(table, key, 'unknown value');
  return known;
}
