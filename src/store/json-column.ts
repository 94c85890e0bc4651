import type { Static, TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { StoredValueInvalid } from '../oauth-error.ts';

/** Where a value was read, for the log: table and key of the row. */
export interface Place {
  readonly table: string;
  readonly key: string;
}

/**
 * Reads JSON text of a column as input: a value without the form that this server stores throws StoredValueInvalid, never passes.
 * Members that the schema does not know stay: a newer version that runs beside this one may have written them.
 */
export function jsonColumn<Schema extends TSchema>(schema: Schema): (text: string, place: Place) => Static<Schema> {
  // Compiled with its first use, so that a start does not wait for it.
  let validator: Validator<Record<never, never>, Schema> | undefined;
  return (text, place) => {
    validator ??= Compile(schema);
    const value = parsed(text, place);
    if (validator.Check(value)) return value as Static<Schema>;
    const [fault] = validator.Errors(value);
    throw new StoredValueInvalid(place.table, place.key, fault?.instancePath ?? '');
  };
}

function parsed(text: string, { table, key }: Place): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StoredValueInvalid(table, key, 'not JSON', cause);
  }
}

/** The value, when it is one of the known ones. Throws StoredValueInvalid. */
export function knownValue<const T extends string>(values: readonly T[], value: string, { table, key }: Place): T {
  const known = values.find((each) => each === value);
  if (known === undefined) throw new StoredValueInvalid(table, key, 'unknown value');
  return known;
}
