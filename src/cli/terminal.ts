import type { Readable, Writable } from 'node:stream';

/** What a subcommand has of the process: data go to `stdout`, talk goes to `stderr`. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Writes data as one line of JSON. */
export function printJson({ stdout }: Pick<Terminal, 'stdout'>, value: unknown): void {
  stdout.write(`${JSON.stringify(value)}\n`);
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

/** The text without characters that would steer a terminal. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
