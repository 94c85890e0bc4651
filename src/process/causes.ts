/** The message of an error and those of its causes, the outermost first; repeated ones once. */
export function messagesOf(error: unknown): readonly string[] {
  const found: string[] = [];
  const visit = (fault: unknown, depth: number) => {
    if (typeof fault !== 'object' || fault === null || depth > 8) return;
    const { message, originalMessage, kind, code, cause, errors } = fault as Fault;
    // A driver's fault is a plain object; an error of several connections has no message itself.
    const text = [originalMessage, message, kind, code].find(
      (each) => typeof each === 'string' && each !== '',
    );
    // The schema engine adds its own trace to what the database said.
    const [said = ''] = String(text).split(/\n +\d+: /);
    const isNew = !found.some((each) => each.includes(said));
    if (text !== undefined && isNew) found.push(said);
    for (const each of [...(Array.isArray(errors) ? errors : []), cause]) visit(each, depth + 1);
  };
  visit(error, 0);
  return found;
}

interface Fault {
  readonly message?: unknown;
  readonly originalMessage?: unknown;
  readonly kind?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}
