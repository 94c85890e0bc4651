/** One line of the doctor. */
export interface Finding {
  /** What was looked at. */
  readonly check: string;
  /** `unknown`: it could not be looked at, which is no fault by itself. */
  readonly result: 'ok' | 'fault' | 'unknown';
  readonly expected: string;
  readonly found: string;
  /** What to do; absent where nothing is to be done. */
  readonly mend?: string;
  /** The page in docs/ that explains it. */
  readonly page: string;
}

/** Makes the findings of one check. */
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

/** What went wrong, with a code of the system where there is one. */
export function reasonOf(error: unknown): string {
  const { code, message, cause } = error as Error & { readonly code?: unknown };
  // The driver of SQLite leaves it empty when it cannot open a file.
  if (typeof code === 'string' && code !== '') return code;
  return cause === undefined ? message : `${message} (${reasonOf(cause)})`;
}
