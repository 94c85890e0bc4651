/** Status and those header fields of an answer from which a holder learns. */
export interface CurlAnswer {
  readonly status: number;
  readonly headers: Headers;
}

const telling = /^(date|age|dpop-nonce|www-authenticate):[ \t]*([^\r\n\0]*)/i;

/**
 * The final answer in what curl wrote for `--dump-header`, behind interim ones (1xx); undefined:
 * its header is not there, or not complete yet.
 */
export function answerIn(dump: string): CurlAnswer | undefined {
  // Lines end with LF alone, and a header with the first line that is empty or begins with CR: so
  // curl reads it. A bare CR elsewhere is part of a field.
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
