/** The messages of an error and its causes, outermost first and without repetitions. */
export function messagesOf(error: unknown): readonly string[] {
  const found: string[] = [];
  const visit = (fault: unknown, depth: number) => {
    if (typeof fault !== 'object' || fault === null || depth > 8) return;
    const { message, originalMessage, kind, code, cause, errors } = fault as Fault;
    // A driver's fault is a plain object; an AggregateError has no message itself.
    const text = [originalMessage, message, kind, code].find(
      (each) => typeof each === 'string' && each !== '',
    );
    // The schema engine appends its trace to the database's message.
    const [said = ''] = String(text).split(/\n +\d+: /);
    const isNew = !found.some((each) => each.includes(said));
    // A driver's error repeats the kind of its cause; the database's own words say more.
    const { kind: causeKind, originalMessage: words } = (cause ?? {}) as Fault;
    const isLabel = said === causeKind && words !== undefined;
    if (text !== undefined && isNew && !isLabel) found.push(inWords[said] ?? said);
    for (const each of [...(Array.isArray(errors) ? errors : []), cause]) visit(each, depth + 1);
  };
  visit(error, 0);
  return found;
}

/** Kinds of faults of Prisma's drivers, which have no message. */
const inWords: Readonly<Record<string, string>> = {
  DatabaseNotReachable: 'the server cannot be reached (DatabaseNotReachable)',
  SocketTimeout: 'the server did not answer in time (SocketTimeout)',
  ConnectionClosed: 'the server closed the connection (ConnectionClosed)',
};

interface Fault {
  readonly message?: unknown;
  readonly originalMessage?: unknown;
  readonly kind?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}
