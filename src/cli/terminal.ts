import type { Readable, Writable } from 'node:stream';

/** The process as seen by a subcommand: data go to `stdout`, messages to `stderr`. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Ends the process when nobody reads its output any more, which may have no end of its own. */
export function endWithReader({ stdout }: Pick<Terminal, 'stdout'>): void {
  stdout.once('error', () => process.exit(0));
}

/** Writes data as one line of JSON. */
export function printJson({ stdout }: Pick<Terminal, 'stdout'>, value: unknown): void {
  stdout.write(`${JSON.stringify(value)}\n`);
}

/** Writes these members of each item as a table with a header, or the items as one JSON array. */
export function printItems(
  terminal: Pick<Terminal, 'stdout'>,
  columns: readonly string[],
  items: readonly Readonly<Record<string, unknown>>[],
  json = false,
): void {
  const head = columns.map((column) => column.toUpperCase());
  const rows = items.map((item) => columns.map((column) => textOf(item[column])));
  if (json) printJson(terminal, items);
  else printHeaded(terminal, head, rows);
}

/** A value as text; empty if there is none. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** Writes rows below a header; on a terminal that is too narrow, a line for each cell. */
export function printHeaded(
  terminal: Pick<Terminal, 'stdout'>,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const { isTTY, columns = 80 } = terminal.stdout;
  const widthOf = (_: string, column: number) =>
    Math.max(...[head, ...rows].map((row) => printable(row[column] ?? '').length));
  const width = head.map(widthOf).reduce((sum, each) => sum + 2 + each, -2);
  if (isTTY !== true || width <= columns) {
    printTable(terminal, [head, ...rows]);
    return;
  }
  for (const [index, row] of rows.entries()) {
    if (index > 0) terminal.stdout.write('\n');
    printTable(
      terminal,
      row.map((cell, column) => [head[column] ?? '', cell]),
    );
  }
}

/** Writes rows in aligned columns, made safe for a terminal. */
export function printTable(
  { stdout }: Pick<Terminal, 'stdout'>,
  rows: readonly (readonly string[])[],
): void {
  const safe = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of safe)
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
  for (const row of safe) {
    const cells = row.map((cell, column) =>
      column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0),
    );
    stdout.write(`${cells.join('  ').trimEnd()}\n`);
  }
}

/** Removes characters that would control a terminal. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
