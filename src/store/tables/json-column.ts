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

/** Table and key of the row from which a value was read, for the log. */
export interface Place {
  readonly table: string;
  readonly key: string;
}

/** Refuses arrays, which Valibot accepts as objects without members. */
export const noArray = custom<object>((value) => !Array.isArray(value));

/** An object that may have further members. */
export const object = <const Entries extends ObjectEntries>(entries: Entries) =>
  pipe(noArray, looseObject(entries));

/**
 * An object with arbitrary names. Valibot's `record` drops `__proto__`, `prototype` and
 * `constructor`, which are ordinary names here.
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
 * Reads the JSON text of a column as untrusted input: a value in a form that this server does not
 * store throws CorruptRow. Unknown members are kept, because a newer version that runs at the same
 * time may have written them.
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

/** Returns what `read` reads from a row, or the CorruptRow that it throws. */
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

/** Returns the value if it is a known one. Throws CorruptRow. */
export function knownValue<const T extends string>(
  values: readonly T[],
  value: string,
  { table, key }: Place,
): T {
  const known = values.find((each) => each === value);
  if (known === undefined) throw new CorruptRow(table, key, 'unknown value');
  return known;
}
