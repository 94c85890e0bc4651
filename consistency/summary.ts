import type { Violation } from './promises.ts';
import { type Entry, entriesOf } from './record.ts';

/** The operations of a run and the findings of the checker, as text. */
export function summary(history: readonly Entry[], violations: readonly Violation[]): string {
  const requests = history.filter((entry) => entry.op !== 'fault');
  const faults = entriesOf(history, 'fault').map(
    ({ fault, target }) => `${fault} ${target.startsWith('127.') ? 'replica' : target}`,
  );
  const introspections = entriesOf(history, 'introspect');
  const rows = [...Map.groupBy(requests, ({ op }) => op)].map(
    ([op, entries]) => `  ${op.padEnd(22)}${statuses(entries)}`,
  );
  return [
    `${requests.length} requests in ${Math.round((history.at(-1)?.end ?? 0) / 1000)} s, ${entriesOf(history, 'fault').length} faults`,
    ...rows,
    `introspected active ${introspections.filter(({ active }) => active === true).length}, inactive ${introspections.filter(({ active }) => active === false).length}`,
    `faults: ${counts(faults)}`,
    `without an answer, perhaps done: ${requests.filter(({ status }) => status === 'lost' || status >= 500).length}`,
    ...violations
      .slice(0, 20)
      .map(
        ({ promise, text, entries }) =>
          `VIOLATION ${promise}: ${text}\n${entries.map(short).join('\n')}`,
      ),
    violations.length === 0
      ? 'No promise was broken.'
      : `${violations.length} violations: ${counts(violations.map(({ promise }) => promise))}`,
  ].join('\n');
}

/** Names what a run must contain and does not; without it the verdict means nothing. */
export function missingFrom(history: readonly Entry[]): readonly string[] {
  const seen: readonly (readonly [string, (entry: Entry) => boolean])[] = [
    ['an issued token', (entry) => entry.op === 'token' && entry.status === 200],
    ['a refused replay', (entry) => entry.op === 'token' && entry.status === 400],
    ['an active token', (entry) => entry.op === 'introspect' && entry.active === true],
    ['an inactive token', (entry) => entry.op === 'introspect' && entry.active === false],
    [
      'a proof that counted at an introspection',
      (entry) => entry.op === 'introspect' && entry.proofValid === true,
    ],
    ['a registration', (entry) => entry.op === 'register' && entry.status === 201],
    ['a revocation', (entry) => entry.op === 'revoke_token' && entry.status === 200],
    ['a disabling', (entry) => entry.op === 'disable' && entry.status === 200],
    ['a rotation', (entry) => entry.op === 'rotate' && entry.status === 200],
    ['a fault', (entry) => entry.op === 'fault'],
  ];
  return seen.filter(([, is]) => !history.some(is)).map(([what]) => what);
}

function statuses(entries: readonly Entry[]): string {
  return counts(entries.map((entry) => ('status' in entry ? String(entry.status) : '')));
}

function counts(names: readonly string[]): string {
  return [...Map.groupBy(names, (name) => name)]
    .map(([name, all]) => `${name} × ${all.length}`)
    .join(', ');
}

function short(entry: Entry): string {
  return `  ${JSON.stringify(entry, (name, value: unknown) => (name === 'token' || name === 'keys' ? undefined : value))}`;
}
