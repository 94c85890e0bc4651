import { messagesOf } from '../../process/causes.ts';

/** One result of the doctor. */
export interface Finding {
  /** What was checked. */
  readonly check: string;
  /** `unknown`: it could not be checked, which by itself is no fault. */
  readonly result: 'ok' | 'fault' | 'unknown';
  readonly expected: string;
  readonly found: string;
  /** What to do; absent if there is nothing to do. */
  readonly mend?: string;
  /** The page in docs/ that explains it. */
  readonly page: string;
}

/** Creates the findings of one check. */
export function about(check: string, expected: string, page: string) {
  const found = (result: Finding['result'], text: string): Finding => ({
    check,
    result,
    expected,
    found: text,
    page: `docs/${page}`,
  });
  return {
    ok: (text: string) => found('ok', text),
    unknown: (text: string) => found('unknown', text),
    fault: (text: string, mend: string): Finding => ({ ...found('fault', text), mend }),
  };
}

/** What went wrong, with a system error code if there is one. */
export function reasonOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown };
  if (name === 'AbortError' || name === 'TimeoutError') return 'no answer in time';
  // The SQLite driver leaves it empty if it cannot open a file.
  if (typeof code === 'string' && code !== '') return code;
  const [message = String(error), ...causes] = messagesOf(error);
  return causes.length === 0 ? message : `${message} (${causes.join(', ')})`;
}
