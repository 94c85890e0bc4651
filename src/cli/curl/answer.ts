/** Status and header fields of an answer that tell a holder how to retry. */
export interface CurlAnswer {
  readonly status: number;
  readonly headers: Headers;
}

const telling = /^(date|age|dpop-nonce|www-authenticate):[ \t]*([^\r\n\0]*)/i;

/**
 * The final answer in curl's `--dump-header` output, after interim ones (1xx); undefined: its
 * header is missing or incomplete.
 */
export function answerIn(dump: string): CurlAnswer | undefined {
  // As curl reads it, lines end with LF alone, and a header with the first line that is empty or
  // begins with CR. A bare CR elsewhere is part of a field.
  for (const [, status, fields = ''] of dump.matchAll(
    /HTTP\/[\d.]+ (\d{3})[^\n]*\n((?:[^\r\n][^\n]*\n)*)(?:\r[^\n]*)?\n/gy,
  )) {
    if (status === undefined || status.startsWith('1')) continue;
    const headers = new Headers();
    for (const line of fields.split('\n')) {
      const [, name, value = ''] = telling.exec(line) ?? [];
      if (name !== undefined) headers.append(name, value.trim());
    }
    return { status: Number(status), headers };
  }
  return undefined;
}
