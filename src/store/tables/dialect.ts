import type { DatabaseKind } from '../migrations/schema.ts';

// The SQL that SQLite and PostgreSQL write differently, so that each statement exists once.

type Dialects<T> = Readonly<Record<DatabaseKind, T>>;

/** One statement in the dialect of each database. */
export const inDialects = <T>(statement: (kind: DatabaseKind) => T): Dialects<T> => ({
  sqlite: statement('sqlite'),
  postgresql: statement('postgresql'),
});

/** The function that finds a text in another; greater than 0 if found. */
export const position: Dialects<string> = { sqlite: 'instr', postgresql: 'strpos' };

/** SQL for "the column contains this text", which must have no quote in it. */
export const contains = (kind: DatabaseKind, column: string, text: string): string =>
  `${position[kind]}(${column}, '${text}') > 0`;

/** SQL for the texts in the first parameter, a JSON array. */
export const jsonTexts: Dialects<string> = {
  sqlite: 'select value from json_each(?)',
  postgresql: 'select jsonb_array_elements_text($1::jsonb)',
};

/** The names in a list of columns with their types. */
export const namesOf = (columns: string): string => columns.replaceAll(/ (text|bigint)/g, '');

/**
 * SQL for the objects in the first parameter, a JSON array, as rows with these columns, named and
 * typed as PostgreSQL declares them. One parameter holds all rows of a batch, so the text of the
 * statement never changes.
 */
export const jsonRows: Dialects<(columns: string) => string> = {
  sqlite: (columns) => {
    const names = namesOf(columns).replaceAll('"', '').split(', ');
    const members = names.map((name) => `value->>'${name}' as "${name}"`);
    return `(select ${members.join(', ')} from json_each(?)) as given`;
  },
  postgresql: (columns) => `jsonb_to_recordset($1::jsonb) as given(${columns})`,
};
