import type { Violation } from './promises.ts';
import { done, type Entry, type EntryOf, effectEnd, entriesOf, mayBeDone } from './record.ts';

type ClientChange = EntryOf<'register' | 'disable' | 'enable' | 'delete' | 'revoke_client_tokens'>;

/** All changes, by client. */
export function changesByClient(
  history: readonly Entry[],
): ReadonlyMap<string, readonly ClientChange[]> {
  return Map.groupBy(
    entriesOf(history, 'register', 'disable', 'enable', 'delete', 'revoke_client_tokens'),
    ({ client }) => client,
  );
}

/** The answered disabling or deletion that certainly held during this whole span. */
export function outOfService(
  changes: readonly ClientChange[],
  span: { readonly start: number; readonly end: number },
): ClientChange | undefined {
  return changes.find((change) => {
    if (!done(change) || change.end >= span.start) return false;
    if (change.op === 'delete') return true;
    // The client may have been enabled again before the end of the span.
    const mayBeBack = (other: ClientChange) =>
      other.op === 'enable' &&
      mayBeDone(other) &&
      other.start < span.end &&
      effectEnd(other) > change.start;
    return change.op === 'disable' && !changes.some(mayBeBack);
  });
}

/**
 * Finds reads without an answered registration, or with one enabled after an answered disabling.
 */
export function findLostRegistrations(history: readonly Entry[]): readonly Violation[] {
  const changes = changesByClient(history);
  return entriesOf(history, 'look_up').flatMap((found): Violation[] => {
    const ofClient = changes.get(found.client) ?? [];
    const registered = ofClient.find(
      (change) => change.op === 'register' && done(change) && change.end < found.start,
    );
    const mayBeDeleted = ofClient.some(
      (change) => change.op === 'delete' && mayBeDone(change) && change.start < found.end,
    );
    if (found.status === 404 && registered !== undefined && !mayBeDeleted)
      return [
        {
          promise: 'registered stays',
          text: `${found.client} is not there`,
          entries: [registered, found],
        },
      ];
    const disabled = outOfService(ofClient, found);
    if (found.status === 200 && disabled !== undefined && found.disabled !== true)
      return [
        {
          promise: 'registered stays',
          text: `${found.client} is in service after an answered ${disabled.op}`,
          entries: [disabled, found],
        },
      ];
    return [];
  });
}
